/* Points of the past, as /history?points= has them: windows with minimum, mean and maximum. They can be drawn like Bins.
 * Of angles, and of deviations, the server keeps none. */

import { MEASURED } from "./axes.js";
import { LIFTED } from "./bins.js";

export class Points {
  #t_s;
  #points;
  #asked_s;

  /** `points` and `window_s` as in the answer to the question for `count` points from `from_s` to `to_s`. `t_s(time)` brings
   *  its times to the page's timeline. */
  constructor({ points, window_s }, { from_s, to_s, count }, t_s) {
    this.width_s = window_s;
    this.#asked_s = from_s === -Infinity ? window_s : (to_s - from_s) / count;
    this.oldest_s = from_s;
    this.newest_s = to_s;
    this.#points = points;
    this.#t_s = Float64Array.from(points, (point) => t_s(point.time));
  }

  /** The beginning of the first window that has samples; NaN when none has. */
  get begin_s() {
    return this.#t_s[0] ?? NaN;
  }

  /** The end of the last window that has samples; -Infinity when none has. */
  get end_s() {
    return (this.#t_s.at(-1) ?? -Infinity) + this.width_s;
  }

  /** Whether this time was asked for with windows of at most `width_s`, whatever came of it. */
  answers(from_s, to_s, width_s) {
    return this.oldest_s <= from_s && this.newest_s >= to_s && this.#asked_s <= width_s;
  }

  each(a, from_s, to_s, visit, more = 0) {
    const axis = MEASURED[a];
    if (axis === undefined) return;
    for (let i = 0; i < this.#points.length; i += 1) {
      const t0_s = this.#t_s[i];
      if (t0_s < from_s - this.width_s / 2) continue;
      if (t0_s >= to_s) return;
      const { min, mean, max, n } = this.#points[i];
      const value = mean[axis];
      visit(t0_s, t0_s + this.width_s, value, min[axis], max[axis], value, value, n, this.#lifted(i) | more, NaN);
      more = 0;
    }
  }

  /** The gaps that are known from here: how many samples are missing, but not why. */
  gaps(from_s, to_s) {
    const within = (_, i) => this.#t_s[i] >= from_s && this.#t_s[i] < to_s;
    return this.#points
      .map((point, i) => ({ gaps: point.gaps, t_s: this.#t_s[i], before_s: this.#t_s[i - 1] ?? NaN, reason: "", lost: point.lost,
        from: null, to: null }))
      .filter((gap, i) => gap.gaps > 0 && within(gap, i));
  }

  #lifted(i) {
    // A gap within a window that is narrower than it: the windows before are missing.
    return i > 0 && this.#t_s[i] - this.#t_s[i - 1] > 1.5 * this.width_s ? LIFTED : 0;
  }
}
