/* The past: what the charts show of the time before the stream began, from /history. */

import { Columns, WINDOW_S } from "./columns.js";
import { numberOf } from "./ledger.js";

const PAUSE_S = 1; // as on the server: no sample for 1 s and 5 periods is a pause, not a slow rate
const PAUSE_PERIODS = 5;

/** How much later than its predecessor a sample may be without lifting the pen; as late as it likes while the rate is
 *  unknown (null). */
export function pause_s(hz) {
  return hz === null ? Infinity : Math.max(PAUSE_S, PAUSE_PERIODS / hz);
}

/** Rows of /history, in order → columns for each of `keys`, up to but without the sample of the id `until`. */
export class Past {
  #until;
  #keys;
  #previous = null;
  #period_s = Infinity;
  columns;

  /** The number of the oldest row taken, null before there is one. */
  oldest = null;

  constructor(keys, until) {
    this.#until = numberOf(until);
    this.#keys = keys;
    this.columns = keys.map(() => new Columns());
  }

  take(row) {
    const { generation, seq } = numberOf(row.id);
    if (generation !== this.#until.generation || seq >= this.#until.seq) return;
    const t_s = row.t_ns / 1e9;
    const broken = row.gap !== undefined || this.#jumps(seq, t_s);
    this.#keys.forEach((key, i) => this.columns[i].add(t_s, row[key], broken));
    this.oldest ??= seq;
    if (this.#previous !== null) this.#period_s = Math.min(this.#period_s, t_s - this.#previous.t_s);
    this.#previous = { seq, t_s };
  }

  #jumps(seq, t_s) {
    if (this.#previous === null) return false;
    const known = this.#period_s < Infinity;
    return seq !== this.#previous.seq + 1 || t_s - this.#previous.t_s > pause_s(known ? 1 / this.#period_s : null);
  }

  /** Whether the sample `until` follows the newest row. */
  get joined() {
    return this.#previous?.seq === this.#until.seq - 1;
  }
}

/** Asks the server for the rows of the window, and gives each to `past`. May throw, after any number of rows. */
export async function readPast(past, signal) {
  const url = new URL(`history?format=ndjson&seconds=${WINDOW_S}`, document.baseURI);
  const response = await fetch(url, { signal, cache: "no-store" });
  if (!response.ok) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) past.take(JSON.parse(line));
  }
}
