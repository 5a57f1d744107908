/* A point: one event of the stream as numbers, for each axis in the order of AXES. One object is used again and again,
 * because 1,000 come in a second.
 *
 * Angles are unwrapped: they go on past 180°, so that neither a curve nor a mean jumps where they turn over. */

import { ANGLES, AXES, MEASURED } from "./axes.js";
import { CLIPPED, CLOCK_STEP, REPEATED } from "./bins.js";

const FLAGS = { clipped: CLIPPED, stale_repeat: REPEATED, clock_step: CLOCK_STEP };

export class Point {
  n = 0; // samples
  mean = new Float64Array(AXES.length);
  least = new Float64Array(AXES.length);
  greatest = new Float64Array(AXES.length);
  squares = new Float64Array(AXES.length); // sum of squared deviations from the mean
  flags = 0;

  /** Takes an event: a sample, or the means of a window with min, max and std. */
  take(event) {
    this.n = event.n ?? 1;
    const { sample, min = sample, max = sample, std = null } = event;
    for (let a = 0; a < MEASURED.length; a += 1) {
      const axis = MEASURED[a];
      this.mean[a] = sample[axis];
      this.least[a] = min[axis];
      this.greatest[a] = max[axis];
      this.squares[a] = std === null ? 0 : this.n * std[axis] * std[axis];
    }
    for (let i = 0; i < ANGLES.length; i += 1) {
      const a = MEASURED.length + i;
      const angle = unwrapped(event.attitude?.[ANGLES[i]] ?? NaN, this.mean[a]);
      this.mean[a] = this.least[a] = this.greatest[a] = angle;
    }
    this.flags = 0;
    for (const flag of event.flags) this.flags |= FLAGS[flag] ?? 0;
  }
}

/** The angle, plus the whole turns that bring it closest to the one before; as it is after none. */
function unwrapped(angle, before) {
  return Number.isNaN(before) ? angle : angle - 360 * Math.round((angle - before) / 360);
}
