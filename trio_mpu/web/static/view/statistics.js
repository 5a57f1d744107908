/* Statistics of each axis over the window on screen: from the points of the curves, or, when the window stands still and
 * has not too many samples, from each sample. The caption says which. */

import { Moments } from "../model/statistics.js";
import { FIGURES, format } from "./readings.js";
import { show } from "./show.js";

const UNITS = { a: "g", g: "°/s", t: "°C" };
const MAX_SAMPLES = 200_000; // as many as page.samples gives
const MANY = 1000; // of fewer, the bins at the edges of the window may have a large part
const ALMOST_ALL = 0.95;
const COLUMNS = Object.entries({ mean: 1, deviation: 2, least: 1, greatest: 1, rms: 1 }); // more decimals than a reading

export class StatisticsView {
  every_ms = 500;
  #page;
  #cells;
  #painted = "";
  #of = null; // the window of the painting before, by which one that stands is known
  #n = 0;
  #exact = { of: null, moments: null };
  #cut = new AbortController();

  constructor(page) {
    this.#page = page;
    const body = document.getElementById("statistics-rows");
    this.#cells = FIGURES.map(({ key }) => {
      const row = body.insertRow();
      row.append(Object.assign(document.createElement("th"), { scope: "row", textContent: `${key}, ${UNITS[key[0]]}` }));
      return COLUMNS.map(([column]) => Object.assign(row.insertCell(), { id: `${key}-${column}` }));
    });
  }

  paint() {
    const { series, range } = this.#page;
    // What has not been measured yet keeps a window from standing.
    const of = range.live ? null : `${range.version} ${Math.min(range.to_s, series.newest_s)}`;
    if (of !== null && of === this.#of && this.#n <= MAX_SAMPLES) void this.#compute(of);
    this.#of = of;
    const exact = this.#exact.of === of ? this.#exact.moments : null;
    const state = `${range.version} ${exact ? "exact" : series.version}`;
    if (state === this.#painted) return;
    this.#painted = state;
    const found = exact ?? FIGURES.map(({ key }) => series.statistics(key, range.from_s, range.to_s));
    this.#n = found[0]?.n ?? 0;
    this.#write(found, exact ? "from each sample" : "from the points of the curves");
  }

  async #compute(of) {
    if (this.#exact.of === of) return;
    const exact = (this.#exact = { of, moments: null });
    this.#cut.abort();
    this.#cut = new AbortController();
    const { from_s, to_s } = this.#page.range;
    const samples = await this.#page.samples(from_s, to_s, this.#cut.signal).catch(() => null);
    const n = samples?.t_s.length ?? 0;
    // The curves know more than the samples that are kept: their points stay.
    if (n === 0 || samples.cut || (n > MANY && n < ALMOST_ALL * this.#n)) return;
    exact.moments = FIGURES.map(({ key }) => Moments.of(samples[key]));
    this.#page.wake();
  }

  #write(found, how) {
    found.forEach((moments, i) => COLUMNS.forEach(([column, more], k) => {
      const { decimals, signed } = FIGURES[i];
      const value = moments?.[column] ?? NaN;
      const text = Number.isFinite(value) ? format(value, decimals + more, signed && column !== "deviation" && column !== "rms") : "–";
      const cell = this.#cells[i][k];
      if (cell.textContent !== text) cell.textContent = text;
    }));
    const { live, span_s } = this.#page.range;
    const n = this.#n;
    show("statistics-of", n > 0 ? `${n.toLocaleString("en")} samples in ${Number(span_s.toPrecision(4))} s, ${how}` : "no samples");
    const cure = live ? ": pause for the rest" : n > MAX_SAMPLES ? ": zoom in for the rest" : "";
    show("statistics-note", n > 0 && Number.isNaN(found[0].deviation) ? `– only means are known of some of this time${cure}` : "");
  }
}
