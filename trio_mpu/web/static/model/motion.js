/* Motion: attitudes that come one by one → the attitude to draw now. Each one is reached when the next is due, so that a
 * steady turn looks steady; what is drawn is one delivery old. */

import { slerp } from "./quaternion.js";

const LONGEST_S = 0.25; // that a turn is drawn out: rarer attitudes are shown sooner than the next one comes
const ONE_WRITE_S = 0.004; // attitudes that come closer together came in one write: only the last of them counts

export class Motion {
  #from = null;
  #to = null;
  #began_s = -Infinity;
  #lasts_s = 0;

  /** Takes the attitude that has come at `now_s`. */
  note(q, now_s) {
    const since_s = now_s - this.#began_s;
    if (since_s > ONE_WRITE_S) {
      this.#from = since_s < 1 ? this.at(now_s) : q; // after a pause nothing is known of the turn
      this.#lasts_s = Math.min(since_s, LONGEST_S);
      this.#began_s = now_s;
    }
    this.#to = q;
  }

  /** The attitude to draw; null without any. */
  at(now_s) {
    if (this.#to === null || this.ended(now_s)) return this.#to;
    return slerp(this.#from, this.#to, Math.max(0, now_s - this.#began_s) / this.#lasts_s);
  }

  /** Whether the newest is reached. */
  ended(now_s) {
    return now_s - this.#began_s >= this.#lasts_s;
  }
}
