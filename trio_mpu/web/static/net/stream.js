/* The stream: owner of the page's one connection to /events.
 *
 * Rules
 *   1. At most one stream lives, and none while the page is hidden: a browser opens at most six HTTP/1.1 connections to
 *      a server over all its tabs, so a forgotten tab must not hold one.
 *   2. It is read with fetch. An EventSource hides heartbeats and the reason of a refusal, and wakes the page for each
 *      event; here all events of one write are taken together.
 *   3. Every failure takes one path: close, wait, make a new one. So there is one back-off, and the user can be shown it.
 *   4. The cursor travels as ?last_event_id=. The server resumes right after it: nothing lost, nothing repeated. So the
 *      form of the stream (every sample, or means) can be changed in the middle of it, by opening it anew.
 *   5. The links reported are connecting, open, unanswered, offline and paused. What the samples say (stale, stopped) is
 *      not known here.
 */

import { UNANSWERED, answerOf } from "./answer.js";
import { EventParser } from "./sse.js";

const FIRST_RETRY_MS = 250; // a restarting server is back within this, more often than not
const LAST_RETRY_MS = 5000; // the longest that a reader should look at a page that doesn't try
const SAY_SO_MS = 1500; // a server that accepts and says nothing is shown as such within 2 s…
const PATIENCE_MS = 5000; // …and given up after this; a browser would wait minutes
const FLUSH_MS = 40; // events of so long come in one write: as often as the page paints, and less often than they are made
const LOST = { reason: "the connection was lost", retryAfter_s: 0 };

/** The wait before attempt number `failures`, in ms: doubling, capped, and spread by a quarter either way so that
 *  a thousand pages that lost the same server don't return in the same instant. */
export function backoff(failures, random = Math.random()) {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 8) * (0.75 + random / 2));
}

export class Stream {
  #cursor;
  #form;
  #onSample;
  #onStatus;
  #onHeartbeat;
  #onLink;
  #cut = null; // of the present connection, or null
  #timer = 0;
  #failures = 0;
  #open = false;

  /** `cursor()` gives the id of the last sample taken, or null to begin with the newest. `form()` gives the parameters of
   *  the stream. `onSample` and `onStatus` get the parsed object of an event, `onHeartbeat` is called for every piece of the
   *  stream, `onLink` gets (link, reason, retryAt, refused): retryAt in ms since the epoch, or null; refused, the status of an
   *  answer that was no stream, or 0. */
  constructor({ cursor, form, onSample, onStatus, onHeartbeat, onLink }) {
    this.#cursor = cursor;
    this.#form = form;
    this.#onSample = onSample;
    this.#onStatus = onStatus;
    this.#onHeartbeat = onHeartbeat;
    this.#onLink = onLink;
  }

  /** Follows the page's visibility from now on; connects immediately when it is visible. */
  start() {
    document.addEventListener("visibilitychange", () => this.#followVisibility());
    // Who goes back to this page finds it as it was: a stream that was kept would be dead.
    window.addEventListener("pagehide", () => this.#pause());
    window.addEventListener("pageshow", () => this.#followVisibility());
    // The network is back: what was learnt about it while it was away no longer counts.
    window.addEventListener("online", () => {
      this.#failures = 0;
      if (!this.#cut) this.#followVisibility();
    });
    this.#followVisibility();
  }

  /** Gives up on the present connection, `reason` says why, and makes a new one after the usual wait. */
  reopen(reason) {
    this.#retry({ reason, retryAfter_s: 0 });
  }

  /** Goes on in another form, as if nothing had happened: the link stays open. */
  reform() {
    if (this.#cut !== null && this.#open) void this.#connect({ quietly: true });
  }

  #followVisibility() {
    if (document.visibilityState === "hidden") {
      this.#pause();
    } else if (!this.#cut) {
      void this.#connect();
    }
  }

  #pause() {
    this.#release();
    this.#failures = 0;
    this.#onLink("paused", "", null, 0);
  }

  async #connect({ quietly = false } = {}) {
    this.#release();
    const cut = (this.#cut = new AbortController());
    const url = new URL("events", document.baseURI);
    url.search = new URLSearchParams({ flush_ms: FLUSH_MS, ...this.#form() });
    const id = this.#cursor();
    if (id !== null) url.searchParams.set("last_event_id", id);

    // After a failure the page stays offline until a stream is open: an attempt is no news.
    if (this.#failures === 0 && !quietly) this.#onLink("connecting", "", null, 0);
    this.#timer = setTimeout(() => {
      this.#onLink(this.#failures === 0 ? "unanswered" : "offline", UNANSWERED, null, 0);
      this.#timer = setTimeout(() => this.reopen(UNANSWERED), PATIENCE_MS - SAY_SO_MS);
    }, SAY_SO_MS);

    const response = await fetch(url, { signal: cut.signal, cache: "no-store" }).catch(() => null);
    const failure = response === null ? LOST : await refusal(response);
    if (cut !== this.#cut) return; // hidden or reopened in the meantime
    clearTimeout(this.#timer);
    if (failure !== null) {
      this.#retry(failure);
      return;
    }
    this.#open = true;
    if (!quietly) this.#onLink("open", "", null, 0);
    await this.#read(response, cut);
    if (cut === this.#cut) this.#retry(LOST);
  }

  /** Reads to the end of the stream, or until the connection is no longer the present one. */
  async #read(response, cut) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parser = new EventParser();
    for (;;) {
      const { done, value } = await reader.read().catch(() => ({ done: true }));
      if (done || cut !== this.#cut) return;
      this.#onHeartbeat();
      for (const { name, data } of parser.feed(decoder.decode(value, { stream: true }))) {
        this.#failures = 0; // not when it opens: a server that accepts and drops must meet the back-off too
        if (name === "message") this.#onSample(JSON.parse(data));
        else if (name === "status") this.#onStatus(JSON.parse(data));
      }
    }
  }

  #retry({ reason, retryAfter_s, status = 0 }) {
    this.#release();
    const wait_ms = Math.min(LAST_RETRY_MS, Math.max(retryAfter_s * 1000, backoff(this.#failures)));
    this.#failures += 1;
    this.#timer = setTimeout(() => void this.#connect(), wait_ms);
    this.#onLink("offline", reason, Date.now() + wait_ms, status);
  }

  /** Lets go of the connection and of whatever was planned for it. */
  #release() {
    clearTimeout(this.#timer);
    this.#cut?.abort();
    this.#cut = null;
    this.#open = false;
  }
}

/** Why a response is no stream, as { reason, retryAfter_s, status }; null for a stream. */
export async function refusal(response) {
  const type = response.headers.get("Content-Type") ?? "";
  if (response.ok && type.startsWith("text/event-stream")) return null;
  const answer = await answerOf(response).catch(() => LOST);
  return { ...answer, reason: answer.reason || "the answer is no stream", status: answer.reached ? response.status : 0 };
}
