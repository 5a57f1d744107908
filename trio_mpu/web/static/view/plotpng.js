/* A plot as a picture: with a title, its time, and what the source was. */

import { make } from "./elements.js";
import { Plot } from "./plot.js";

const WIDTH_PX = 1200;
const HEIGHT_PX = 480;
const HEAD_PX = 56;
const RATIO = 2; // fine enough to print
const LINES = ["—", "– –", "····"]; // solid, dashed, dotted

/** A quantity's plot of `scene` → Promise of a PNG as Blob. `newest` is the newest object of the server, or null. */
export function png(quantity, scene, newest) {
  const canvas = make("canvas");
  const plot = new Plot(canvas, quantity);
  plot.restyle(WIDTH_PX, HEIGHT_PX, RATIO);
  plot.paint(scene);
  const sheet = make("canvas", { width: WIDTH_PX * RATIO, height: (HEAD_PX + HEIGHT_PX) * RATIO });
  const g = sheet.getContext("2d");
  const style = getComputedStyle(document.body);
  const write = (text, x, y, font, ink) => {
    g.fillStyle = style.getPropertyValue(`--${ink}`);
    g.font = `${font} ${style.fontFamily}`;
    g.fillText(text, x, y);
  };
  g.fillStyle = style.getPropertyValue("--paper");
  g.fillRect(0, 0, sheet.width, sheet.height);
  g.drawImage(canvas, 0, HEAD_PX * RATIO);
  g.scale(RATIO, RATIO);
  const iso = (t_s) => new Date(scene.timeline.wall_s(t_s) * 1000).toISOString();
  const kinds = ["simulated", "replayed"].filter((flag) => newest?.flags.includes(flag)).map((flag) => `${flag.toUpperCase()} · `);
  write(`${quantity.title} (${quantity.unit})`, 12, 24, "600 16px", "ink");
  write(`${iso(scene.from_s)} to ${iso(scene.from_s + scene.span_s)} · ${kinds.join("")}source ${newest?.source ?? "unknown"}`, 12, 44, "12px", "ink");
  const on = quantity.axes.filter(({ key }) => !scene.off.has(key));
  on.forEach(({ letter, ink }, i) => write(`${LINES[quantity.axes.indexOf(on[i])]} ${letter}`, WIDTH_PX - 80 * (on.length - i), 24, "600 14px", ink));
  return new Promise((resolve) => sheet.toBlob(resolve, "image/png"));
}
