/* The connection: the one word and the one sentence that say how far to trust the page.
 *
 * Two things decide: the link (is there a stream?) and, only while it is open, the status of the samples in it. The
 * element is a live region: screen readers announce a change. So what ticks, the time to the next attempt, is kept out of it.
 */

import { show } from "./elements.js";

const WORDS = {
  connecting: ["Connecting", "to the server"],
  live: ["Live", "receiving samples"],
  waiting: ["Waiting", "for the first sample"],
  stale: ["Stale", "no new samples from the sensor; the figures are the last ones known"],
  stopped: ["Stopped", "the sensor's process has ended; the figures are the last ones known"],
  unanswered: ["Silent", "the server does not answer; the figures are the last ones known"],
  paused: ["Paused", "while this page is hidden; it resumes where it left off"],
  offline: ["Offline", "no stream from the server"],
};

const OF_STATUS = { ok: "live", stale: "stale", stopped: "stopped", waiting: "waiting", unanswered: "unanswered" };

/** (link, status) → one of the eight states. An open stream that has said nothing yet is still connecting. */
export function stateOf(link, status) {
  if (link !== "open") return link;
  return OF_STATUS[status] ?? "connecting";
}

/** Shows the connection: paint() whenever it changes, and now and then for the time that is left. */
export class ConnectionView {
  #state;

  constructor({ state }) {
    this.#state = state;
  }

  paint() {
    const { link, status, reason, retryAt } = this.#state;
    const state = stateOf(link, status);
    const [word, sentence] = WORDS[state];
    const element = document.getElementById("connection");
    if (element.dataset.state !== state) {
      element.dataset.state = state;
      document.documentElement.dataset.state = state; // the style sheet dims figures that are not live
    }
    show("connection-word", word);
    show("connection-reason", reason || sentence);

    const left_s = retryAt === null ? 0 : Math.ceil((retryAt - Date.now()) / 1000);
    show("retry", left_s > 0 ? `next attempt in ${left_s} s` : "");
  }
}
