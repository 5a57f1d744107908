/* The frame of a plot over frequency: where values lie, what is written beside them, and curves as points in pixels. */

import { multiples, niceStep } from "./ticks.js";

export class Frame {
  /** `box`: { left, right, top, bottom } in pixels; at its edges frequencies [from, to] and values [low, high]. */
  constructor(box, [from_hz, to_hz], [low, high], log = false) {
    Object.assign(this, { ...box, from_hz, to_hz, low, high, log });
  }

  x(hz) {
    const { from_hz, to_hz } = this;
    const part = this.log ? Math.log(hz / from_hz) / Math.log(to_hz / from_hz) : (hz - from_hz) / (to_hz - from_hz);
    return this.left + part * (this.right - this.left);
  }

  y(value) {
    return this.bottom - ((value - this.low) / (this.high - this.low)) * (this.bottom - this.top);
  }

  hz(x) {
    const { from_hz, to_hz } = this;
    const part = (x - this.left) / (this.right - this.left);
    return this.log ? from_hz * (to_hz / from_hz) ** part : from_hz + part * (to_hz - from_hz);
  }

  /** The frequencies to write, on a linear scale one in `apart_px` at the most. */
  ticks_hz(apart_px) {
    const { from_hz, to_hz } = this;
    if (!this.log) return multiples(from_hz, to_hz, niceStep(((to_hz - from_hz) * apart_px) / (this.right - this.left)));
    const ticks = [];
    for (let power = 10 ** Math.floor(Math.log10(from_hz)); power <= to_hz; power *= 10) ticks.push(power, 2 * power, 5 * power);
    return ticks.filter((hz) => hz >= from_hz && hz <= to_hz);
  }

  /** A curve over bins as [x, y, x, y, …]; of those that share a column of pixels, the greatest. */
  curve(values, width_hz) {
    const points = [];
    let column = NaN;
    for (let k = Math.ceil(this.from_hz / width_hz - 1e-6); k < values.length && k * width_hz <= this.to_hz + 1e-6; k += 1) {
      const x = this.x(k * width_hz);
      const y = Math.min(this.bottom, Math.max(this.top, this.y(values[k])));
      if (Math.floor(x) === column) points[points.length - 1] = Math.min(points.at(-1), y);
      else points.push(x, y);
      column = Math.floor(x);
    }
    return points;
  }
}

/** Places labels, the most important first: [{ x, y, width }], their middle and foot → the same, moved into `box` and up, or if
 *  need be down, by lines until none covers another; null where there is no room. */
export function placed(labels, box, line_px) {
  const taken = [];
  const lines = Math.floor((box.bottom - box.top) / line_px);
  const shifts = Array.from({ length: 2 * lines }, (_, i) => (i <= lines ? -i : i - lines) * line_px);
  return labels.map(({ x, y, width }) => {
    const middle = Math.min(box.right - width / 2, Math.max(box.left + width / 2, x));
    const isFree = (foot) => foot - line_px >= box.top && foot <= box.bottom
      && taken.every((other) => Math.abs(other.x - middle) >= (other.width + width) / 2 || Math.abs(other.y - foot) >= line_px);
    const shift = shifts.find((by) => isFree(y + by));
    if (shift === undefined) return null;
    taken.push({ x: middle, y: y + shift, width });
    return taken.at(-1);
  });
}
