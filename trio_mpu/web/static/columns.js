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
    const i = place(number);
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

  /** Puts the slices of `past` before these. `joined`: the first value here follows the last one there; otherwise the
   *  pen is lifted between them. */
  precede(past, joined) {
    const oldest = this.after(this.newest - COUNT);
    if (Number.isNaN(oldest)) this.newest = past.newest;
    else if (!joined) this.#breaks[place(oldest)] = 1;
    for (let number = this.newest - COUNT + 1; number <= past.newest; number += 1) {
      const i = place(number);
      if (past.#number[i] !== number) continue;
      if (this.#number[i] !== number) {
        this.#number[i] = number;
        this.#least[i] = past.#least[i];
        this.#greatest[i] = past.#greatest[i];
        this.#last[i] = past.#last[i];
        this.#breaks[i] = past.#breaks[i];
      } else {
        this.#least[i] = Math.min(this.#least[i], past.#least[i]);
        this.#greatest[i] = Math.max(this.#greatest[i], past.#greatest[i]);
        this.#breaks[i] |= past.#breaks[i];
      }
      this.#first[i] = past.#first[i];
    }
  }

  /** The number of the oldest filled slice of the window after `number`; NaN when there is none. */
  after(number) {
    for (let next = Math.max(number, this.newest - COUNT) + 1; next <= this.newest; next += 1) {
      if (this.#number[place(next)] === next) return next;
    }
    return NaN;
  }

  /** The number of the newest filled slice of the window before `number`; NaN when there is none. */
  before(number) {
    for (let next = number - 1; next > this.newest - COUNT; next -= 1) {
      if (this.#number[place(next)] === next) return next;
    }
    return NaN;
  }

  /** { least, greatest } of the window; Infinity and -Infinity when it is empty. */
  extremes() {
    let least = Infinity;
    let greatest = -Infinity;
    for (let i = 0; i < COUNT; i += 1) {
      if (!(this.#number[i] > this.newest - COUNT)) continue; // older than the window, or NaN
      if (this.#least[i] < least) least = this.#least[i];
      if (this.#greatest[i] > greatest) greatest = this.#greatest[i];
    }
    return { least, greatest };
  }

  /** Calls visit(age, first, least, greatest, last, broken) for each filled slice of the window from number `from` on,
   *  oldest first; age counts slices back from the newest. A callback with plain numbers, because this runs for every
   *  frame. */
  each(visit, from = -Infinity) {
    for (let number = Math.max(from, this.newest - COUNT + 1); number <= this.newest; number += 1) {
      const i = place(number);
      if (this.#number[i] !== number) continue;
      visit(this.newest - number, this.#first[i], this.#least[i], this.#greatest[i], this.#last[i], this.#breaks[i] === 1);
    }
  }
}

/** Where a slice is kept; also for the numbers below 0 of the first seconds after a start of the clock. */
function place(number) {
  return ((number % COUNT) + COUNT) % COUNT;
}
