/* Silence: what a quiet stream means.
 *
 * A connection can die without a word (a phone that changed networks, a server that hangs or lost its power), and the
 * server's heartbeat comes only every 15 s. So when an open stream says nothing, /json is asked, and its answer decides:
 *
 *   no answer                       the server hangs or is gone; twice in a row: the connection is dead
 *   503                             nothing has been sampled yet; the answer says what is waited for
 *   200, nothing newer than ours    the sensor is quiet, not the stream; the answer has the status
 *   200, newer than ours            twice in a row: the stream is dead though the server is not
 *
 * Twice, because a sample may be on its way while /json is asked. The server is asked at any rate of samples: at a slow
 * one it answers, so a long period is no alarm.
 */

import { ask } from "./answer.js";

// Together less than 2 s, with LISTEN_MS: so soon a server that hangs is shown as such.
const QUIET_MS = 800; // arbitrary; at 2 Hz and more a healthy stream is never so quiet
const ANSWER_MS = 700; // arbitrary; a server nearby answers in milliseconds
const ASK_EVERY_MS = 800; // while it stays quiet; one small request
const ASK_AGAIN_MS = 400; // after a suspicion

/** How often `listen` is to be called. */
export const LISTEN_MS = 200;

export class Silence {
  #heard_ms = 0;
  #asked_ms = -Infinity;
  #suspicions = 0;
  #asking = false;
  #isNew;
  #onWaiting;
  #onStatus;
  #onUnanswered;
  #onDead;

  /** `isNew(object)` says whether the stream should have brought it already. `onWaiting(reason)`, `onStatus(object)`,
   *  `onUnanswered()` and `onDead(reason)` get the verdicts. */
  constructor({ isNew, onWaiting, onStatus, onUnanswered, onDead }) {
    this.#isNew = isNew;
    this.#onWaiting = onWaiting;
    this.#onStatus = onStatus;
    this.#onUnanswered = onUnanswered;
    this.#onDead = onDead;
  }

  /** Something came at `now_ms`, or a new connection did: the silence starts afresh. */
  broken(now_ms) {
    this.#heard_ms = now_ms;
    this.#suspicions = 0;
  }

  /** To be called every LISTEN_MS while the stream is open. */
  async listen(now_ms) {
    const every_ms = this.#suspicions > 0 ? ASK_AGAIN_MS : ASK_EVERY_MS;
    if (now_ms - this.#heard_ms < QUIET_MS || this.#asking || now_ms - this.#asked_ms < every_ms) return;
    this.#asked_ms = now_ms;
    this.#asking = true;
    const heard_ms = this.#heard_ms;
    const answer = await ask(new URL("json", document.baseURI), ANSWER_MS);
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
    else this.#onUnanswered();
  }
}
