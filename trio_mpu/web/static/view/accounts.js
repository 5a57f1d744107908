/* Accounts: the ledger and the rate, in words. */

import { clock } from "./readings.js";
import { show } from "./elements.js";

const REASONS = new Map([
  ["lapped", "the ring had moved on before they were read"],
  ["slow", "this page was too slow, and the ring moved on"],
  ["restart", "the producer was restarted"],
  ["device", "the sensor did not deliver them, or the producer was held up"],
  ["untold", "they never came, and the server did not say why"],
]);
const AWAY = new Map([
  ["slept", "this tab slept"],
  ["away", "there was no connection"],
]);

/** "14:03:22: 9 samples (11 to 19) lost, slow: this page was too slow…". `from` and `to` are the neighbours of what is
 *  missing: only the numbers between them are named. */
export function describeGap({ reason, lost, from, to, time }) {
  const numbers = lost === null || from === null || to === null ? 0 : Math.max(0, to - from - 1);
  const noun = numbers > 0 ? "sample" : "reading"; // what the sensor did not deliver never became a sample
  const what = lost === null ? `an unknown number of ${noun}s` : counted(lost, noun);
  const more = numbers > 0 && lost > numbers ? `, and ${count(lost - numbers)} that the sensor did not deliver` : "";
  const which = numbers > 0 ? ` (${span(from + 1, to - 1)}${more})` : "";
  const why = REASONS.has(reason) ? `${reason}: ${REASONS.get(reason)}` : reason;
  return `${clock(time)}: ${what}${which} lost, ${why}`;
}

/** "14:03:22: this tab slept for 3 min; samples 120 to 18,000 were not streamed". */
export function describeSkip({ why, away_s, from, to, time }) {
  const numbers = from === null ? 0 : to - from - 1;
  let what = `${numbers === 1 ? "sample" : "samples"} ${span(from + 1, to - 1)} ${numbers === 1 ? "was" : "were"} not streamed`;
  if (from === null) what = "the samples of that time were not streamed, and their numbers began again";
  else if (numbers === 0) what = "nothing was missed";
  return `${clock(time)}: ${AWAY.get(why)} for ${duration(away_s)}; ${what}`;
}

/** 200 → "3 min": rounded, in the largest unit of which there is one. */
export function duration(s) {
  if (s < 59.5) return `${Math.round(s)} s`;
  if (s < 59.5 * 60) return `${Math.round(s / 60)} min`;
  return s < 47.5 * 3600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} days`;
}

function describeLost({ lost, lostIsAtLeast }) {
  if (!lostIsAtLeast) return count(lost);
  return lost === 0 ? "unknown" : `\u2265\u202f${count(lost)}`;
}

export class AccountsView {
  #page;

  constructor(page) {
    this.#page = page;
  }

  paint() {
    paintAccounts(this.#page.ledger, this.#page.state.hz);
  }
}

function paintAccounts(ledger, hz) {
  show("rate", hz === null ? "\u2013" : hz.toFixed(hz < 999.95 ? 1 : 0));
  show("received", count(ledger.received));
  show("gaps", count(ledger.gaps));
  show("lost", describeLost(ledger));
  show("last-gap", ledger.lastGap ? describeGap(ledger.lastGap) : "none so far");
  show("last-skip", ledger.lastSkip ? describeSkip(ledger.lastSkip) : "nothing so far");

  // Beside the figures for people, the same for programs: plain digits, all from one moment.
  const { dataset } = document.getElementById("accounts");
  dataset.received = ledger.received;
  dataset.repeats = ledger.repeats;
  dataset.lost = ledger.lost;
  dataset.skipped = ledger.skipped;
  dataset.firstSeq = ledger.firstSeq ?? "";
  dataset.lastId = ledger.lastId ?? "";
  dataset.gaps = ledger.gaps;
}

function span(first, last) {
  return first === last ? count(first) : `${count(first)} to ${count(last)}`;
}

function counted(n, noun) {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

const DIGITS = new Intl.NumberFormat("en");

function count(n) {
  return DIGITS.format(n);
}
