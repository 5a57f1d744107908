/* Accounts: the ledger and the rate, in words. */

import { clock } from "./readings.js";
import { show } from "./show.js";

const REASONS = new Map([
  ["lapped", "the ring had moved on before this page came back"],
  ["slow", "this page took them too slowly"],
  ["restart", "the sensor's process was restarted"],
  ["device", "the device itself missed readings"],
  ["untold", "they never came, and the server did not say so"],
]);

/** "14:03:22: 10 samples (10 to 19) lost, lapped: the ring had moved on …" */
export function describeGap({ reason, lost, from, to, time }) {
  const what = lost === null ? "an unknown number of samples" : `${count(lost)} ${lost === 1 ? "sample" : "samples"}`;
  const which = lost === null || from === null || to === null ? "" : from === to ? ` (${from})` : ` (${from} to ${to})`;
  const why = REASONS.has(reason) ? `${reason}: ${REASONS.get(reason)}` : reason;
  return `${clock(time)}: ${what}${which} lost, ${why}`;
}

function describeLost({ lost, lostIsAtLeast }) {
  if (!lostIsAtLeast) return count(lost);
  return lost === 0 ? "unknown" : `\u2265\u202f${count(lost)}`;
}

export function paintAccounts(ledger, hz) {
  show("rate", hz === null ? "\u2013" : hz.toFixed(hz < 999.95 ? 1 : 0));
  show("received", count(ledger.received));
  show("gaps", count(ledger.gaps));
  show("lost", describeLost(ledger));
  show("last-gap", ledger.lastGap ? describeGap(ledger.lastGap) : "none so far");

  // Beside the figures for people, the same for programs: plain digits, all from one moment.
  const { dataset } = document.getElementById("accounts");
  dataset.received = ledger.received;
  dataset.repeats = ledger.repeats;
  dataset.lost = ledger.lost;
  dataset.firstSeq = ledger.firstSeq ?? "";
  dataset.lastId = ledger.lastId ?? "";
  dataset.gaps = ledger.gaps;
}

function count(n) {
  return n.toLocaleString("en");
}
