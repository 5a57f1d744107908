/* The range: the window of time on screen, which plots, spectrum, statistics and export share. Live it ends with the
 * newest sample; paused it stays where it is. Zooming and panning pause it. */

export const LEAST_SPAN_S = 0.01; // ten samples of the fastest sensor
const MOST_SPAN_S = 100 * 365.25 * 86400;

export class Range {
  live = true;
  from_s = NaN;
  to_s = NaN;
  /** Changes with whatever is on screen. */
  version = 0;
  #span_s; // as asked for: Infinity is all that there is
  #oldest_s = NaN;

  constructor(span_s) {
    this.#span_s = span_s;
  }

  /** What was asked for, in seconds; Infinity: everything. */
  get asked_s() {
    return this.#span_s;
  }

  get span_s() {
    return this.to_s - this.from_s;
  }

  /** There are samples from `oldest_s` to `newest_s`. */
  follow(newest_s, oldest_s) {
    this.#oldest_s = oldest_s;
    if (!this.live && !Number.isNaN(this.to_s)) return;
    const from_s = this.#span_s === Infinity ? Math.min(oldest_s, newest_s - 1) : newest_s - this.#span_s;
    this.#put(from_s, newest_s);
  }

  pause() {
    this.live = false;
    this.version += 1;
  }

  resume() {
    this.live = true;
    this.version += 1;
  }

  /** Shows this time, and pauses. */
  show(from_s, to_s) {
    if (Number.isNaN(to_s - from_s)) return; // there is nothing yet
    const span_s = Math.min(MOST_SPAN_S, Math.max(LEAST_SPAN_S, to_s - from_s));
    this.live = false;
    this.#span_s = span_s;
    this.#put((from_s + to_s - span_s) / 2, (from_s + to_s + span_s) / 2);
  }

  /** Shows so much: up to the newest sample when live, else up to the same end. */
  setSpan(span_s) {
    this.#span_s = Math.max(LEAST_SPAN_S, span_s);
    this.#put(span_s === Infinity ? Math.min(this.#oldest_s, this.to_s - 1) : this.to_s - this.#span_s, this.to_s);
  }

  /** `factor` below 1 shows less time. The time `at_s` stays where it is on screen. */
  zoom(factor, at_s = (this.from_s + this.to_s) / 2) {
    const span_s = Math.min(MOST_SPAN_S, Math.max(LEAST_SPAN_S, this.span_s * factor));
    const from_s = at_s - ((at_s - this.from_s) / this.span_s) * span_s;
    this.show(from_s, from_s + span_s);
  }

  pan(by_s) {
    this.show(this.from_s + by_s, this.to_s + by_s);
  }

  #put(from_s, to_s) {
    if (from_s === this.from_s && to_s === this.to_s) return;
    this.from_s = from_s;
    this.to_s = to_s;
    this.version += 1;
  }
}
