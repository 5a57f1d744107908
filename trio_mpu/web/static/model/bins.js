/* Bins: what was measured, in slices of time of one width; the newest COUNT of them.
 *
 * For each axis a bin keeps the first, least, greatest and last value, the mean, and the sum of squared deviations from
 * it, so that a curve drawn from bins has every peak, and statistics of a window need no samples. All memory is taken at
 * the beginning: a day costs as much as a second. */

import { AXES } from "./axes.js";

export const COUNT = 4096; // more than a screen has columns
const ROUNDING = 1e-6; // of a bin: times are sums of binary fractions
export const LIFTED = 1; // the pen is lifted before this bin: a gap or a pause
export const CLIPPED = 2;
export const REPEATED = 4;
export const CLOCK_STEP = 8;

export class Bins {
  #number = new Float64Array(COUNT).fill(NaN); // which slice of time a place holds
  #n = new Float64Array(COUNT);
  #flags = new Uint8Array(COUNT);
  #axes = AXES.map(() => ({
    first: new Float32Array(COUNT),
    least: new Float32Array(COUNT),
    greatest: new Float32Array(COUNT),
    last: new Float32Array(COUNT),
    mean: new Float64Array(COUNT),
    squares: new Float64Array(COUNT),
  }));
  #newest = NaN;

  constructor(width_s) {
    this.width_s = width_s;
  }

  /** Adds a point (see point.js) taken at `t_s`; times only rise. */
  add(t_s, point, flags) {
    const number = Math.floor(t_s / this.width_s);
    const i = place(number);
    const fresh = this.#number[i] !== number;
    if (fresh) {
      this.#number[i] = this.#newest = number;
      this.#n[i] = this.#flags[i] = 0;
    }
    const before = this.#n[i];
    const n = before + point.n;
    for (let a = 0; a < this.#axes.length; a += 1) {
      const axis = this.#axes[a];
      const mean = point.mean[a];
      if (fresh || Number.isNaN(axis.mean[i])) {
        axis.first[i] = axis.mean[i] = mean;
        axis.least[i] = point.least[a];
        axis.greatest[i] = point.greatest[a];
        axis.squares[i] = point.squares[a];
      } else {
        // Two groups as one: T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating Formulae…", 1979, equation 1.5.
        const step = mean - axis.mean[i];
        axis.mean[i] += (step * point.n) / n;
        axis.squares[i] += point.squares[a] + (step * step * before * point.n) / n;
        if (point.least[a] < axis.least[i]) axis.least[i] = point.least[a];
        if (point.greatest[a] > axis.greatest[i]) axis.greatest[i] = point.greatest[a];
      }
      axis.last[i] = mean;
    }
    this.#n[i] = n;
    this.#flags[i] |= flags;
  }

  clear() {
    this.#number.fill(NaN);
    this.#newest = NaN;
  }

  /** When the bin begins that `t_s` is in, or the group of `count` bins. */
  begin_s(t_s, count = 1) {
    const width_s = count * this.width_s;
    return Math.floor(t_s / width_s + ROUNDING) * width_s;
  }

  /** The beginning of the oldest time that is kept, in seconds; NaN when empty. */
  get oldest_s() {
    return (this.#newest - COUNT + 1) * this.width_s;
  }

  /** Calls visit(t0_s, t1_s, first, least, greatest, last, mean, n, flags, squares) for each filled bin from the one
   *  that `from_s` is in, up to the last that begins before `to_s`, oldest first; the first one has the flag `more`
   *  too. Plain numbers, because this runs for every frame. */
  each(a, from_s, to_s, visit, more = 0) {
    const axis = this.#axes[a];
    const begin = Math.max(this.#newest - COUNT + 1, Math.floor(from_s / this.width_s + ROUNDING));
    const end = Math.min(this.#newest, Math.ceil(to_s / this.width_s - ROUNDING) - 1);
    for (let number = begin; number <= end; number += 1) {
      const i = place(number);
      if (this.#number[i] !== number) continue;
      const t0_s = number * this.width_s;
      visit(t0_s, t0_s + this.width_s, axis.first[i], axis.least[i], axis.greatest[i], axis.last[i], axis.mean[i],
        this.#n[i], this.#flags[i] | more, axis.squares[i]);
      more = 0;
    }
  }
}

/** Where a slice is kept; also for the numbers below 0 of the first seconds after a start of the clock. */
function place(number) {
  return ((number % COUNT) + COUNT) % COUNT;
}
