/* Columns: the last ten seconds of one axis, in a fixed number of time slices.
 *
 * A slice keeps the first, least, greatest and last value that fell into it, so that a curve drawn from the slices has
 * every peak of the samples at any rate, and drawing costs the same at 1 Hz and at 1,000 Hz.
 */

export const WINDOW_S = 10;
export const COUNT = 500; // 20 ms each: about a pixel wide in a strip as it is drawn
export const COLUMN_S = WINDOW_S / COUNT;

export class Columns {
  #number = new Float64Array(COUNT).fill(NaN); // which slice of absolute time a place holds
  #first = new Float32Array(COUNT);
  #least = new Float32Array(COUNT);
  #greatest = new Float32Array(COUNT);
  #last = new Float32Array(COUNT);
  #breaks = new Uint8Array(COUNT);

  /** The number of the newest slice; NaN when there is none. Its time is newest * COLUMN_S. */
  newest = NaN;

  /** Adds a value taken at `t_s`; `broken` when it does not follow its predecessor. Time only goes forward: a step
   *  back means another clock, and what was kept belongs to the old one. */
  add(t_s, value, broken) {
    const number = Math.floor(t_s / COLUMN_S);
    if (number < this.newest) this.clear();
    const i = number % COUNT;
    if (this.#number[i] !== number) {
      this.#number[i] = number;
      this.#first[i] = this.#least[i] = this.#greatest[i] = value;
      this.#breaks[i] = 0;
      this.newest = number;
    }
    if (value < this.#least[i]) this.#least[i] = value;
    if (value > this.#greatest[i]) this.#greatest[i] = value;
    this.#last[i] = value;
    if (broken) this.#breaks[i] = 1;
  }

  clear() {
    this.#number.fill(NaN);
    this.newest = NaN;
  }

  /** Calls visit(age, first, least, greatest, last, broken) for each filled slice of the window, oldest first; age
   *  counts slices back from the newest. A callback with plain numbers, because this runs for every frame. */
  each(visit) {
    for (let number = this.newest - COUNT + 1; number <= this.newest; number += 1) {
      const i = ((number % COUNT) + COUNT) % COUNT;
      if (this.#number[i] !== number) continue;
      visit(this.newest - number, this.#first[i], this.#least[i], this.#greatest[i], this.#last[i], this.#breaks[i] === 1);
    }
  }
}
