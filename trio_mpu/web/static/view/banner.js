/* The banner: one line above the figures that says what to do about what is wrong. What is wrong, and for how long, the
 * connection says, which is the live region. */

import { duration } from "./accounts.js";
import { show } from "./elements.js";

const WRONG_S = 60; // by which the board's clock must differ to be called wrong: people see a minute
const CONNECTIONS = 6; // that a browser opens to one server
const AFTER_MS = 1000; // what is over sooner moves nothing on the page
const UNAUTHORIZED = 401;

const ADVICE = {
  waiting: "No sample has come yet. If this lasts, see what the log says, where ./start.sh runs.",
  stale: "The sensor has fallen silent: check its wires and its power. The log, where ./start.sh runs, says more.",
  stopped: "No program reads the sensor: start it again with ./start.sh. This page then goes on by itself.",
  unanswered: "Check that the board has power, that it is in this network, and that ./start.sh runs on it.",
  refused: "The server takes no more clients: close pages and programs that you don't need, or start it with a larger --max-clients.",
  windows: "Six windows of this browser show this page, and it opens no more connections to one server: close one.",
};

/** Whether the page has to sign in. It goes on trying: who signs in elsewhere in this browser finds it live. */
export function isSignedOut({ word, refused }) {
  return word === "offline" && refused === UNAUTHORIZED;
}

/** What to do in this state of the page, "" if nothing, or if it has to sign in. */
export function advice({ word, refused, ahead_s, windows }) {
  if (isSignedOut({ word, refused })) return "";
  if (word === "offline" && refused) return ADVICE.refused;
  if (word === "offline" || word === "unanswered") return windows >= CONNECTIONS ? ADVICE.windows : ADVICE.unanswered;
  if (ADVICE[word] || !(Math.abs(ahead_s) > WRONG_S)) return ADVICE[word] ?? "";
  const way = ahead_s > 0 ? "ahead of" : "behind";
  return `The board's clock is ${duration(Math.abs(ahead_s))} ${way} this computer's, and the times on this page are the board's: set the wrong one, or let it set itself by the network.`;
}

export class BannerView {
  every_ms = 500;
  #page;
  #words = "";
  #since_ms = 0;

  constructor(page) {
    this.#page = page;
  }

  paint(now_ms) {
    this.#paintSignedOut();
    const words = advice(this.#page.state);
    if (words !== this.#words) this.#since_ms = now_ms;
    this.#words = words;
    if (words !== "" && now_ms - this.#since_ms < AFTER_MS) return;
    show("banner", words);
    document.getElementById("banner").hidden = words === "";
  }

  #paintSignedOut() {
    const signedOut = isSignedOut(this.#page.state);
    document.getElementById("signed-out").hidden = !signedOut;
    // The form leads back to what is behind the #.
    if (signedOut) document.getElementById("sign-in").href = `sign-in${location.hash}`;
  }
}
