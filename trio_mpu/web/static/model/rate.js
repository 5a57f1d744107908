/* The rate: samples received per second.
 *
 * Counted over the last WINDOW_S of the samples' own clock, not of the page's. A burst, as when a page comes back and is
 * handed what it missed, is then shown at the rate at which it was sampled; a lost sample still lowers the figure.
 */

const WINDOW_S = 2;
const SLOTS = 4096; // 2 s at 1,000 Hz is 2,000; at more than SLOTS the window only gets shorter

export class Rate {
  #times_s = new Float64Array(SLOTS);
  #sums = new Float64Array(SLOTS); // samples ever noted, up to and with this event
  #sum = 0;
  #head = 0; // events ever noted
  #tail = 0; // the oldest that counts
  #arrived_ms = 0;

  /** Notes an event of `n` samples, the newest taken at `t_s` (CLOCK_MONOTONIC), that arrived at `now_ms`. */
  note(t_s, n, now_ms) {
    if (this.#head > this.#tail && t_s < this.#at(this.#head - 1)) this.#tail = this.#head; // the clock began anew
    this.#sum += n;
    this.#times_s[this.#head % SLOTS] = t_s;
    this.#sums[this.#head % SLOTS] = this.#sum;
    this.#head += 1;
    this.#tail = Math.max(this.#tail, this.#head - SLOTS);
    while (t_s - this.#at(this.#tail) > WINDOW_S) this.#tail += 1;
    this.#arrived_ms = now_ms;
  }

  /** Hz; 0 when nothing has come for a window, null while there are too few samples to tell. */
  hz(now_ms) {
    if (this.#head === 0) return null;
    if (now_ms - this.#arrived_ms > WINDOW_S * 1000) return 0;
    const span_s = this.#at(this.#head - 1) - this.#at(this.#tail);
    return span_s > 0 ? (this.#sum - this.#sums[this.#tail % SLOTS]) / span_s : null;
  }

  #at(n) {
    return this.#times_s[n % SLOTS];
  }
}
