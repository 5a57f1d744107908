/* Plots over frequency: paper, grid, curves, labels, and a cursor for pointer and keys. */

import { Frame, placed } from "../model/frame.js";
import { figure } from "../model/spectrum.js";
import { multiples, niceStep } from "../model/ticks.js";

const LEFT_PX = 46;
const TOP_PX = 6;
const RIGHT_PX = 8;
const BOTTOM_PX = 18;
const LINE_PX = 13;
const DASHES_PX = [[], [6, 3], [2, 2], []]; // of x, y, z and the sum
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], PageDown: [-10, 0], PageUp: [10, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Escape: [null] };

/** Calls at(x, y) in pixels for a pointer, by(x, y) in steps for a key, by(null) when the cursor is to go. */
export function follow(canvas, at, by) {
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => at(offsetX, offsetY));
  canvas.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && by(null));
  canvas.addEventListener("keydown", (event) => {
    if (!STEPS[event.key]) return;
    event.preventDefault();
    by(...STEPS[event.key]);
  });
}

/** Clears a canvas, makes it as large as it is shown, and draws the frequencies of `frameOf(box)`. In pixels of the page. */
export function prepare(canvas, frameOf) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const style = getComputedStyle(canvas);
  const ink = (name) => style.getPropertyValue(`--${name}`);
  const g = canvas.getContext("2d");
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round(height * devicePixelRatio);
  g.scale(devicePixelRatio, devicePixelRatio);
  g.fillStyle = ink("paper");
  g.fillRect(0, 0, width, height);
  g.font = `11px ${style.fontFamily}`;
  const frame = frameOf({ left: LEFT_PX, right: width - RIGHT_PX, top: TOP_PX, bottom: height - BOTTOM_PX });
  g.textAlign = "center";
  for (const hz of frame.ticks_hz(60)) {
    g.fillStyle = ink("rule");
    g.fillRect(frame.x(hz), TOP_PX, 1, frame.bottom - TOP_PX);
    g.fillStyle = ink("muted");
    if (frame.x(hz) < frame.right - 30) g.fillText(figure(hz, 3), frame.x(hz), height - 5);
  }
  g.textAlign = "right";
  g.fillText("Hz", frame.right, height - 5);
  return { g, frame, ink };
}

export class DensityPlot {
  cursor_hz = null;
  canvas;
  #frame = null;

  /** `onCursor()` is called when the cursor has moved; `bin_hz()` is a step of the keys. */
  constructor(canvas, bin_hz, onCursor) {
    this.canvas = canvas;
    const put = (hz) => {
      const { from_hz, to_hz } = this.#frame ?? {};
      this.cursor_hz = hz !== null && to_hz ? Math.min(to_hz, Math.max(from_hz, hz)) : null;
      onCursor();
    };
    follow(canvas, (x) => put(this.#frame?.hz(x) ?? null), (by) => put(by && (Math.round((this.cursor_hz ?? 0) / bin_hz()) + by) * bin_hz()));
  }

  /** traces: [{ axis, values, bin_hz, look: "reference", "hold" or "" }]; labels: [{ hz, value, text }], the highest first. */
  draw({ traces, labels, frequencies, limits, log }) {
    const { g, frame, ink } = prepare(this.canvas, (box) => new Frame(box, frequencies, limits, log));
    this.#frame = frame;
    for (const value of multiples(...limits, niceStep((limits[1] - limits[0]) / 5))) {
      g.fillStyle = ink("rule");
      g.fillRect(frame.left, frame.y(value), frame.right - frame.left, 1);
      g.fillStyle = ink("muted");
      g.fillText(figure(value, 3), frame.left - 4, frame.y(value) + 4);
    }
    for (const { axis, values, bin_hz, look } of traces) {
      const points = frame.curve(values, bin_hz);
      g.strokeStyle = ink(["x", "y", "z", "ink"][axis]);
      g.globalAlpha = look ? 0.5 : 1;
      g.lineWidth = axis === 3 && !look ? 1.8 : 1.2;
      g.setLineDash(look === "reference" ? [5, 5] : DASHES_PX[axis]);
      g.beginPath();
      for (let i = 0; i < points.length; i += 2) g.lineTo(points[i], points[i + 1]);
      g.stroke();
    }
    g.globalAlpha = 1;
    g.fillStyle = ink("ink");
    if (this.cursor_hz !== null) g.fillRect(frame.x(this.cursor_hz), frame.top, 1, frame.bottom - frame.top);
    g.textAlign = "center";
    const spots = labels.map(({ hz, value, text }) => ({ x: frame.x(hz), y: frame.y(value) - 5, width: g.measureText(text).width + 6 }));
    placed(spots, frame, LINE_PX).forEach((spot, i) => spot && g.fillText(labels[i].text, spot.x, spot.y));
  }
}
