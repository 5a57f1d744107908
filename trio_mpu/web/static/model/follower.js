/* The follower: where the page stands in the stream, and what becomes of each event.
 *
 * Rules
 *   1. The present first. A page that opens, or comes back after more than RESUME_S, begins with the newest sample; what it
 *      skipped is not lost, and the ledger says so. What was missed for no longer is resumed by id.
 *   2. The past of one source is not the past of another; least of all a simulated one's of a real one's.
 *   3. The pen is lifted after a gap, and after a pause that is longer than the rate explains. */

import { Point } from "./point.js";

export const RESUME_S = 10; // a thousand events at most, at 100 Hz: less than is on screen
const PAUSE_S = 1; // as on the server: no sample for 1 s and 5 periods is a pause, not a slow rate
const PAUSE_PERIODS = 5;

/** How much later than its predecessor a sample may be without lifting the pen; as late as it likes while the rate is
 *  unknown (null). */
export function pause_s(hz) {
  return hz ? Math.max(PAUSE_S, PAUSE_PERIODS / hz) : Infinity;
}

export class Follower {
  #ledger;
  #series;
  #timeline;
  #rate;
  #point = new Point();
  #source = null;
  #nextBy_s = Infinity; // how much later the next sample may be without lifting the pen
  #begins = false; // the next sample is the first one after a beginning with the present
  #heard_ms = 0; // when the server was heard last, by Date.now(): a computer that slept counts too
  /** This tab was hidden since the newest sample. */
  slept = false;

  constructor({ ledger, series, timeline, rate }) {
    this.#ledger = ledger;
    this.#series = series;
    this.#timeline = timeline;
    this.#rate = rate;
  }

  heard(now_ms) {
    this.#heard_ms = now_ms;
  }

  /** The id to resume after; null to begin with the present. */
  cursor(now_ms) {
    const away_s = (now_ms - this.#heard_ms) / 1000;
    const { lastId } = this.#ledger;
    if (lastId !== null && away_s <= RESUME_S && !this.#begins) return lastId;
    this.#begins = true;
    this.#ledger.skip(this.slept ? "slept" : "away", away_s);
    return null;
  }

  /** Takes an event that arrived at `now_ms` (performance.now()). Gives its time in seconds, or null: it is a repeat. */
  take(event, now_ms) {
    const { verdict, gap } = this.#ledger.take(event);
    const begins = this.#begins;
    this.#begins = false;
    if (verdict === "repeat") return null;
    const t_s = event.t_ns / 1e9;
    if (this.#source !== null && this.#source !== event.source) this.#series.clear(t_s);
    this.#source = event.source;

    const before_s = this.#series.newest_s;
    this.#timeline.note(event);
    this.#point.take(event);
    this.#rate.note(t_s, this.#point.n, now_ms);
    const lifted = verdict === "after gap" || t_s - before_s > this.#nextBy_s;
    if (gap) this.#series.addGap({ ...gap, t_s, before_s });
    this.#series.add(t_s, this.#point, { begins, lifted });
    this.#nextBy_s = pause_s(this.#rate.hz(now_ms));
    this.slept = false;
    return t_s;
  }

  /** Whether `object`, from /json, is so new that the stream should have brought it. Of means, one window may be
   *  incomplete, and the next one begun. */
  isNew(object, window_s) {
    return this.#ledger.isNew(object) && !(object.t_ns / 1e9 - this.#series.newest_s <= 2 * window_s);
  }
}
