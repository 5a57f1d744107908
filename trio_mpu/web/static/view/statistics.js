/* Statistics of the window on screen: from the points of the curves, or, when it stands still, from each of its samples. */

import { Moments } from "../model/statistics.js";
import { FIGURES, format } from "./readings.js";
import { show } from "./elements.js";

const MAX_SAMPLES = 200_000; // as many as page.samples gives
const MANY = 1000; // of fewer, the bins at the edges of the window may have a large part
const ALMOST_ALL = 0.95;
const COLUMNS = ["mean", "deviation", "least", "greatest", "rms"];
const UNITS = { a: "g", g: "°/s", t: "°C" };

export class StatisticsView {
  every_ms = 500;
  #page;
  #painted = "";
  #of = null; // the window of the painting before, by which one that stands is known
  #n = 0;
  #exact = { of: null, rows: null };
  #cut = new AbortController();

  constructor(page) {
    this.#page = page;
    for (const { key } of FIGURES) {
      const row = document.getElementById("statistics-rows").insertRow();
      row.append(Object.assign(document.createElement("th"), { scope: "row", textContent: `${key}, ${UNITS[key[0]]}` }));
      for (const column of COLUMNS) row.insertCell().id = `${key}-${column}`;
    }
  }

  paint() {
    const { series, range } = this.#page;
    // What has not been measured yet keeps a window from standing.
    const of = range.live ? null : `${range.version} ${Math.min(range.to_s, series.newest_s)}`;
    if (of !== null && of === this.#of && this.#n <= MAX_SAMPLES) void this.#compute(of);
    this.#of = of;
    const exact = this.#exact.of === of ? this.#exact.rows : null;
    const state = `${range.version} ${exact ? "exact" : series.version}`;
    if (state === this.#painted) return;
    this.#painted = state;
    const rows = exact ?? FIGURES.map(({ key }) => series.statistics(key, range.from_s, range.to_s));
    this.#n = rows[0]?.n ?? 0;
    this.#write(rows, exact ? "from each sample" : "from the points of the curves");
  }

  async #compute(of) {
    if (this.#exact.of === of) return;
    const exact = (this.#exact = { of, rows: null });
    this.#cut.abort();
    this.#cut = new AbortController();
    const { from_s, to_s } = this.#page.range;
    const samples = await this.#page.samples(from_s, to_s, this.#cut.signal).catch(() => null);
    const n = samples?.t_s.length ?? 0;
    // The curves know more than the samples that are kept: their points stay.
    if (n === 0 || samples.cut || (n > MANY && n < ALMOST_ALL * this.#n)) return;
    exact.rows = FIGURES.map(({ key }) => Moments.of(samples[key]));
    this.#page.wake();
  }

  #write(rows, how) {
    const { live, span_s } = this.#page.range;
    const n = this.#n;
    FIGURES.forEach(({ key, decimals }, i) => COLUMNS.forEach((column) => {
      const value = rows[i]?.[column] ?? NaN;
      show(`${key}-${column}`, Number.isNaN(value) ? "–" : format(value, decimals + 1, false));
    }));
    show("statistics-of", n > 0 ? `${n.toLocaleString("en")} samples in ${Number(span_s.toPrecision(4))} s, ${how}` : "no samples");
    const cure = n > MAX_SAMPLES ? ": zoom in for the rest" : live ? ": pause for the rest" : "";
    show("statistics-note", n > 0 && Number.isNaN(rows[0].rms) ? `– only means are known of some of this time${cure}` : "");
  }
}
