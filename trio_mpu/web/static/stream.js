/* The stream: owner of the page's one EventSource.
 *
 * Rules
 *   1. At most one EventSource lives, and none while the page is hidden: a browser opens at most six HTTP/1.1
 *      connections to a server over all its tabs, so a forgotten tab must not hold one.
 *   2. Every failure takes one path: close, wait, make a new one. An EventSource comes back by itself from a dropped
 *      connection but never from a 503; one path for both means one back-off, and the user can be told about it.
 *   3. A new EventSource can't set the Last-Event-ID header, so the cursor travels as ?last_event_id=. The server then
 *      resumes right after it: nothing lost, nothing repeated.
 *   4. The links told are connecting, open, offline and paused. What the samples say (stale, stopped) is not known here.
 */

import { ask } from "./answer.js";

const FIRST_RETRY_MS = 250; // a restarting server is back within this, more often than not
const LAST_RETRY_MS = 5000; // the longest that a reader should look at a page that doesn't try
// Arbitrary: a server nearby answers in milliseconds, and a browser would wait minutes for one that is gone.
const PATIENCE_MS = 5000;
const UNANSWERED = "the server does not answer (or other windows hold all six connections that a browser opens to it)";

/** The wait before attempt number `failures`, in ms: doubling, capped, and spread by a quarter either way so that
 *  a thousand pages that lost the same server don't return in the same instant. */
export function backoff(failures, random = Math.random()) {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 8) * (0.75 + random / 2));
}

export class Stream {
  #cursor;
  #onSample;
  #onStatus;
  #onLink;
  #source = null;
  #timer = 0;
  #attempt = 0;
  #failures = 0;

  /** `cursor()` gives the id of the last sample taken, or null. `onSample` and `onStatus` get the parsed object of an
   *  event, `onLink` gets (link, reason, retryAt): retryAt in ms since the epoch, or null. */
  constructor({ cursor, onSample, onStatus, onLink }) {
    this.#cursor = cursor;
    this.#onSample = onSample;
    this.#onStatus = onStatus;
    this.#onLink = onLink;
  }

  /** Follows the page's visibility from now on; connects at once when it is visible. */
  start() {
    document.addEventListener("visibilitychange", () => this.#followVisibility());
    // The network is back: what was learnt about it while it was away no longer counts.
    window.addEventListener("online", () => {
      this.#failures = 0;
      if (!this.#source) this.#followVisibility();
    });
    this.#followVisibility();
  }

  /** Gives up on the present connection, `reason` says why, and makes a new one after the usual wait. */
  reopen(reason) {
    this.#release();
    this.#retry(reason, 0);
  }

  #followVisibility() {
    if (document.visibilityState === "hidden") {
      this.#release();
      this.#failures = 0;
      this.#onLink("paused", "", null);
    } else if (!this.#source) {
      this.#connect();
    }
  }

  #connect() {
    this.#release();
    const url = new URL("events", document.baseURI);
    const id = this.#cursor();
    if (id !== null) url.searchParams.set("last_event_id", id);

    const source = new EventSource(url);
    this.#source = source;
    // After a failure the page stays offline until a stream is open: an attempt is no news.
    if (this.#failures === 0) this.#onLink("connecting", "", null);
    this.#timer = setTimeout(() => this.reopen(UNANSWERED), PATIENCE_MS);

    source.onopen = () => {
      clearTimeout(this.#timer);
      this.#onLink("open", "", null);
    };
    source.onmessage = (event) => {
      this.#failures = 0; // not in onopen: a server that accepts and drops at once must meet the back-off too
      this.#onSample(JSON.parse(event.data));
    };
    source.addEventListener("status", (event) => {
      this.#failures = 0;
      this.#onStatus(JSON.parse(event.data));
    });
    source.onerror = () => {
      // CLOSED: the server answered, with something that is no stream. CONNECTING: there was no answer, or it ended.
      const refused = source.readyState === EventSource.CLOSED;
      this.#release();
      if (refused) void this.#learnWhy(url);
      else this.#retry("the connection was lost", 0);
    };
  }

  /** An EventSource hides the answer that closed it; the same request by fetch shows it. */
  async #learnWhy(url) {
    const attempt = this.#attempt;
    this.#onLink("offline", "the server refused the stream", null);
    const answer = await ask(url);
    if (attempt !== this.#attempt) return; // hidden or reopened in the meantime
    this.#retry(answer.reason, answer.retryAfter_s * 1000);
  }

  #retry(reason, atLeast_ms) {
    const wait_ms = Math.min(LAST_RETRY_MS, Math.max(atLeast_ms, backoff(this.#failures)));
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#connect(), wait_ms);
    this.#onLink("offline", reason, Date.now() + wait_ms);
  }

  /** Lets go of the connection and of whatever was planned for it. */
  #release() {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }
}
