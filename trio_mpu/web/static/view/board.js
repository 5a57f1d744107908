/* The board: how it lies, as a picture and in angles, and how far that can be trusted. While the page is paused, how it lay
 * at the end of the plots. */

import { Motion } from "../model/motion.js";
import { anglesOf, ofAngles, resetYaw, turn } from "../model/quaternion.js";
import { project, shapes } from "../model/scene.js";
import { onKey } from "./keys.js";
import { format } from "./readings.js";
import { show } from "./elements.js";

export const SETTINGS = { yaw0: 0 };

const LABEL_MS = 5000; // a label that changes more often can't be listened to
const LINGER_MS = 2000; // what is wrong with a single sample stays long enough to be read
const BINS = 100; // of a window that stands still: so near to its end the board is shown
const LEAST_HZ = 10; // below, the producer calculates no attitude
const [WIDTH, HEIGHT, MIDDLE] = [4.6, 4.4, 0.44]; // of the picture in the scene's lengths, and where its middle is
const [GROUND, RADIUS, LETTERS] = [-1, 1.7, 2]; // the ring's height and radius, and where N, E, S, W stand
const TRUST = {
  attitude_settling: "settling: right in some seconds",
  attitude_bias: "yaw drifts: the gyroscope's bias is not known yet; let the board lie still for some seconds",
  attitude_gap: "readings were missing or clipped: it may have turned meanwhile",
  clipped: "an axis is at the end of its range",
};

export class BoardView {
  every_ms = 30; // arbitrary: smooth, at half the cost of every frame
  #page;
  #canvas = document.getElementById("picture");
  #motion = new Motion();
  #event = null;
  #doubts_ms = new Map(); // flag → when it was seen last
  #isInSight = false;
  #drawn = null;
  #labelled_ms = -Infinity;

  constructor(page) {
    this.#page = page;
    const redraw = () => {
      this.#drawn = null;
      page.wake();
    };
    const reset = () => {
      const q = this.#attitude(performance.now());
      if (q !== null) page.settings.set("yaw0", Math.round(anglesOf(q).yaw));
      page.wake();
    };
    new IntersectionObserver((seen) => {
      this.#isInSight = seen.at(-1).isIntersecting;
      page.wake();
    }).observe(document.getElementById("board"));
    new ResizeObserver(redraw).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    document.getElementById("reset-yaw").addEventListener("click", reset);
    onKey("y", reset);
  }

  note(event, _t_s, now_ms) {
    for (const flag of event.flags) if (flag in TRUST) this.#doubts_ms.set(flag, now_ms);
    this.#event = event;
    if (event.attitude) this.#motion.note(event.attitude.q, now_ms / 1000);
  }

  /** The attitude to show, or null. */
  #attitude(now_ms) {
    const { range, series } = this.#page;
    if (range.live) return this.#event?.attitude ? this.#motion.at(now_ms / 1000) : null;
    const [roll, pitch, yaw] = ["roll", "pitch", "yaw"].map((axis) => {
      let newest = NaN;
      series.each(axis, range.from_s, range.to_s, BINS, (_t0, _t1, _first, _least, _greatest, last) => (newest = last));
      return newest;
    });
    return Number.isNaN(roll + pitch + yaw) ? null : ofAngles({ roll, pitch, yaw });
  }

  paint(now_ms) {
    if (!this.#isInSight) return;
    const { range, settings } = this.#page;
    const q = this.#attitude(now_ms);
    this.#explain(q !== null, now_ms);
    if (q === null) return;
    if (range.live && !this.#motion.ended(now_ms / 1000)) this.#page.wake();
    const shown = resetYaw(q, settings.get("yaw0"));
    if (this.#drawn?.every((part, i) => part === shown[i])) return;
    this.#drawn = shown;
    const angles = Object.entries(anglesOf(shown));
    for (const [name, angle] of angles) show(name, format(turn(angle), 1, true));
    this.#draw(shown);
    if (now_ms - this.#labelled_ms < LABEL_MS) return;
    this.#labelled_ms = now_ms;
    const words = angles.map(([name, angle]) => `${name} ${format(angle, 0, false)}°`).join(", ");
    this.#canvas.setAttribute("aria-label", `The board, seen from the south and above: ${words}`);
  }

  /** Says why there is no attitude, or what to think of it. */
  #explain(isKnown, now_ms) {
    const doubts = [...this.#doubts_ms].filter(([, seen_ms]) => now_ms - seen_ms < LINGER_MS).map(([flag]) => TRUST[flag]);
    const { range, state } = this.#page;
    const isNever = range.live && this.#event !== null && !isKnown;
    const isSlow = state.period_s > 1 / LEAST_HZ;
    document.getElementById("board").dataset.known = isKnown;
    document.getElementById("get-attitude").hidden = !isNever || isSlow;
    let words = isKnown ? "settled" : "none yet";
    if (!range.live && !isKnown) words = "No attitude was stored for this time.";
    else if (isNever) words = isSlow ? `There is none below ${LEAST_HZ} Hz.` : "These samples have none.";
    show("trust", (isKnown && doubts.join("; ")) || words);
  }

  #draw(q) {
    const canvas = this.#canvas;
    const ratio = window.devicePixelRatio || 1;
    const style = getComputedStyle(canvas);
    const ink = (name) => style.getPropertyValue(`--${name}`);
    canvas.width = canvas.clientWidth * ratio; // which also clears it
    canvas.height = canvas.clientHeight * ratio;
    const pen = canvas.getContext("2d");
    const unit = Math.min(canvas.width / WIDTH, canvas.height / HEIGHT);
    const line = (points, color, width = 1) => {
      pen.beginPath();
      for (const [x, y] of points) pen.lineTo(x * unit, -y * unit);
      if (points.length > 2) pen.closePath();
      pen.lineWidth = width * ratio;
      pen.strokeStyle = ink(color);
      pen.stroke();
    };
    const text = (letter, [x, y], color) => {
      pen.fillStyle = ink(color);
      pen.fillText(letter, x * unit, -y * unit);
    };
    const onRing = (angle, radius) => project([radius * Math.cos(angle), radius * Math.sin(angle), GROUND]);
    pen.translate(canvas.width / 2, canvas.height * MIDDLE);
    pen.lineJoin = pen.lineCap = "round";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = `${13 * ratio}px ${style.fontFamily}`;
    for (const radius of [RADIUS, RADIUS / 2]) line(Array.from({ length: 72 }, (_, i) => onRing((i * Math.PI) / 36, radius)), "edge");
    [..."ENWS"].forEach((letter, i) => {
      line([onRing(0, 0), onRing((i * Math.PI) / 2, RADIUS)], "edge");
      text(letter, onRing((i * Math.PI) / 2, LETTERS), "muted");
    });
    line([onRing(0, 0), onRing((anglesOf(q).yaw * Math.PI) / 180, RADIUS)], "x"); // where x points, on the ground
    for (const { name, points } of shapes(q)) {
      const [from, to] = points;
      line(points, points.length > 2 ? "ink" : name, points.length > 2 ? 1 : 3);
      pen.fillStyle = ink(`board-${name}`);
      if (points.length > 2) pen.fill();
      else text(name, to.map((part, i) => part + 0.15 * (part - from[i])), name);
    }
  }
}
