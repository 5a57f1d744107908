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
  curve(values, bin_hz) {
    const points = [];
    let column = NaN;
    for (let k = Math.ceil(this.from_hz / bin_hz - 1e-6); k < values.length && k * bin_hz <= this.to_hz + 1e-6; k += 1) {
      const x = this.x(k * bin_hz);
      const y = Math.min(this.bottom, Math.max(this.top, this.y(values[k])));
      if (Math.floor(x) === column) points[points.length - 1] = Math.min(points.at(-1), y);
      else points.push(x, y);
      column = Math.floor(x);
    }
    return points;
  }
}

/** Places labels, the most important first: [{ x, y, width }], their middle and foot → the same, moved into `box` and up
 *  until none covers another; null where there is no room. */
export function placed(labels, box, line_px) {
  const taken = [];
  return labels.map(({ x, y, width }) => {
    const spot = { x: Math.min(box.right - width / 2, Math.max(box.left + width / 2, x)), y: Math.max(box.top + line_px, y), width };
    const covers = (other) => Math.abs(other.x - spot.x) < (other.width + width) / 2 && Math.abs(other.y - spot.y) < line_px;
    for (let other; (other = taken.find(covers)); ) spot.y = other.y - line_px;
    if (spot.y < box.top + line_px) return null;
    taken.push(spot);
    return spot;
  });
}
