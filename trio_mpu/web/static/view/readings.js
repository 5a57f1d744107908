/* Readings: the large figures, their means, and what is said about the sensor.
 *
 * A figure shows the newest sample, the small one beside it the mean of the last 128, named by the time they took. Every
 * figure has a fixed number of decimals and stands flush right in tabular digits, so that nothing on the page moves but
 * what has changed.
 */

import { show } from "./elements.js";

/** The seven figures: key in a sample, decimals shown, whether the sign is always written. */
export const FIGURES = [
  ...["ax", "ay", "az"].map((key) => ({ key, decimals: 3, signed: true })), // noise ±0.01 g
  ...["gx", "gy", "gz"].map((key) => ({ key, decimals: 2, signed: true })), // noise ±0.2 °/s
  { key: "temp", decimals: 2, signed: false }, // one step of the chip is 0.003 °C
];

const MEAN_SAMPLES = 128; // in the server's `average`
const SIMULATED = ["badge-simulated", "to-connect", "connect-sensor"]; // what is there exactly while the data is simulated
const FLAG_LINGERS_MS = 2000; // a flag on one sample in a hundred must stay long enough to be read

/** `value` with fixed decimals and a true minus sign. What rounds to zero has no sign, else rest would flicker. */
export function format(value, decimals, signed) {
  const digits = Math.abs(value).toFixed(decimals);
  if (Number(digits) === 0) return digits;
  if (value < 0) return `\u2212${digits}`;
  return signed ? `+${digits}` : digits;
}

/** "mean of 1.28 s": the time that 128 samples take at `hz`; without a number while the rate is not known. */
export function meanLabel(hz) {
  if (!hz) return "mean";
  const s = MEAN_SAMPLES / hz;
  return `mean of ${s < 100 ? s.toPrecision(3) : Math.round(s)} s`;
}

export class ReadingsView {
  #state;
  #flagSeen_ms = new Map();
  #labelled = "";

  constructor({ state }) {
    this.#state = state;
  }

  /** Notes the flags of every event, also of those between two paintings. */
  note(event, _t_s, now_ms) {
    for (const flag of event.flags) this.#flagSeen_ms.set(flag, now_ms);
  }

  paint(now_ms) {
    const { newest: event, hz } = this.#state;
    if (event === null) return;
    this.note(event, NaN, now_ms); // a status has flags too
    for (const { key, decimals, signed } of FIGURES) {
      show(`value-${key}`, format(event.sample[key], decimals, signed));
      // The mean of 128 has an eleventh of the noise: it has earned one more digit.
      show(`mean-${key}`, format(event.average[key], decimals + 1, signed));
    }
    if (hz) this.#label(meanLabel(hz)); // else the last one known is still that of these means
    show("source", event.source);
    show("newest", `no. ${event.seq.toLocaleString("en")} at ${clock(event.time)}`);
    // By the newest object alone: each badge stands exactly while what is shown was simulated, or replayed.
    const simulated = event.flags.includes("simulated");
    for (const id of SIMULATED) document.getElementById(id).hidden = !simulated;
    document.getElementById("badge-replayed").hidden = !event.flags.includes("replayed");

    for (const [flag, seen_ms] of this.#flagSeen_ms) {
      if (now_ms - seen_ms > FLAG_LINGERS_MS && !event.flags.includes(flag)) this.#flagSeen_ms.delete(flag);
    }
    show("flags", [...this.#flagSeen_ms.keys()].sort().join(", ") || "none");
  }

  #label(text) {
    if (text === this.#labelled) return;
    this.#labelled = text;
    for (const element of document.querySelectorAll(".mean span")) element.textContent = text;
  }
}

/** Unix seconds → the local time of day, 24 hours. */
export function clock(time_s) {
  return new Date(time_s * 1000).toLocaleTimeString("en-GB");
}
