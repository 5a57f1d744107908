/* The filler: asks /history for what is on screen and not known yet, one question at a time. */

import { readPoints } from "./past.js";

const POINTS = 1000; // about the columns of a screen
const PATIENCE_MS = 10_000; // arbitrary; any window of a month takes less than a second
const AGAIN_MS = 5000; // after a refusal, arbitrary

export class Filler {
  #series;
  #timeline;
  #range;
  #onChange;
  #cut = null; // the AbortController of the question in progress, or null
  #notBefore_ms = 0;
  #everything = null; // the Points of everything, or null
  /** Why the server gave nothing, or "". */
  reason = "";

  /** `onChange()` is called when points have come, or a refusal. */
  constructor({ series, timeline, range }, onChange) {
    this.#series = series;
    this.#timeline = timeline;
    this.#range = range;
    this.#onChange = onChange;
  }

  get isAsking() {
    return this.#cut !== null;
  }

  /** To be called now and then: asks if something is missing. */
  look(now_ms) {
    if (this.#cut !== null || now_ms < this.#notBefore_ms || Number.isNaN(this.#range.to_s)) return;
    const question = this.#question();
    if (question !== null) void this.#ask(question);
  }

  /** What was asked is of no use any more. */
  stop() {
    this.#cut?.abort();
    this.#cut = null;
  }

  #question() {
    const { from_s, to_s, asked_s } = this.#range;
    const everything = asked_s === Infinity && !this.#series.knows(this.#everything);
    const missing = everything ? { from_s: -Infinity, to_s } : this.#series.missing(from_s, Math.min(to_s, this.#series.newest_s), POINTS);
    return missing && { ...missing, count: POINTS };
  }

  async #ask(question) {
    const cut = (this.#cut = new AbortController());
    const limit = setTimeout(() => cut.abort(new Error("the past did not come in time")), PATIENCE_MS);
    try {
      const points = await readPoints(this.#timeline, question, cut.signal);
      if (cut !== this.#cut) return;
      if (question.from_s === -Infinity) this.#everything = points;
      this.#series.fill(points);
      this.reason = "";
    } catch (error) {
      if (cut !== this.#cut) return;
      this.reason = error.message;
      this.#notBefore_ms = performance.now() + AGAIN_MS;
    } finally {
      clearTimeout(limit);
      if (cut === this.#cut) this.#cut = null;
    }
    this.#onChange();
  }
}
