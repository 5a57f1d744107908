/* Silence: what a quiet stream means.
 *
 * An EventSource hides the heartbeat, and a connection can die without a word (a phone that changed networks, a server
 * that lost its power). So when an open stream says nothing, /json is asked, and its answer decides:
 *
 *   no answer                       twice in a row: the connection is dead
 *   503                             nothing has been sampled yet; the answer says what is waited for
 *   200, nothing newer than ours    the sensor is quiet, not the stream; the answer has the status
 *   200, newer than ours            twice in a row: the stream is dead though the server is not
 *
 * Twice, because a sample may be on its way while /json is asked.
 */

import { ask } from "./answer.js";

const QUIET_MS = 2000; // two periods of the slowest rate, 1 Hz
const ASK_EVERY_MS = 3000; // arbitrary; one small request while nothing else happens

export class Silence {
  #heard_ms = 0;
  #asked_ms = -Infinity;
  #suspicions = 0;
  #asking = false;
  #isNew;
  #onWaiting;
  #onStatus;
  #onDead;

  /** `isNew(object)` tells whether the stream should have brought it already. `onWaiting(reason)`, `onStatus(object)`
   *  and `onDead(reason)` get the verdicts. */
  constructor({ isNew, onWaiting, onStatus, onDead }) {
    this.#isNew = isNew;
    this.#onWaiting = onWaiting;
    this.#onStatus = onStatus;
    this.#onDead = onDead;
  }

  /** Something came at `now_ms`, or a new connection did: the silence starts afresh. */
  broken(now_ms) {
    this.#heard_ms = now_ms;
    this.#suspicions = 0;
  }

  /** To be called about twice a second while the stream is open. */
  async listen(now_ms) {
    const quiet = now_ms - this.#heard_ms >= QUIET_MS;
    if (!quiet || this.#asking || now_ms - this.#asked_ms < ASK_EVERY_MS) return;
    this.#asked_ms = now_ms;
    this.#asking = true;
    const heard_ms = this.#heard_ms;
    const answer = await ask(new URL("json", document.baseURI));
    this.#asking = false;
    if (heard_ms === this.#heard_ms) this.#judge(answer); // else the stream spoke first
  }

  #judge(answer) {
    if (answer.reached && !answer.ok) {
      this.#suspicions = 0;
      this.#onWaiting(answer.reason);
      return;
    }
    const missed = answer.reached && this.#isNew(answer.body);
    this.#suspicions = missed || !answer.reached ? this.#suspicions + 1 : 0;
    if (this.#suspicions >= 2) this.#onDead(answer.reached ? "the stream fell silent" : answer.reason);
    else if (answer.reached) this.#onStatus(answer.body);
  }
}
