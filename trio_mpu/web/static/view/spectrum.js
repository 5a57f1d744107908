/* The spectrum: of the newest seconds while live, of the window on screen while paused.
 *
 * Rules
 *   1. It costs nothing until it is opened. Then the stream brings every sample, and it is calculated every EVERY_MS at the
 *      most, and for no more than a tenth of the time.
 *   2. What is shown is said below it in words: of what it was calculated, what was left out, and the peaks. */

import { REST_S, noiseOf, noiseText } from "../model/noise.js";
import { peaksOf } from "../model/peaks.js";
import { WINDOWS, Welch, isSameGrid } from "../model/psd.js";
import { Reference } from "../model/reference.js";
import { NAMES, csvOf, describe, figure, hertz, limitsOf, peaksText, shownOf, unitOf } from "../model/spectrum.js";
import { bandTo_hz, swing, velocity_mm_s } from "../model/vibration.js";
import { addControls, defaultsOf, fixable, openable } from "./controls.js";
import { DensityPlot } from "./density.js";
import { show } from "./show.js";

const CONTROLS = {
  "sp-last": ["Last, s", 10, [1, 2, 5, 10, 30, 60]],
  "sp-printer": ["Printer preset (Klipper)", false],
  "sp-window": ["Window", "hann", Object.keys(WINDOWS)],
  "sp-segment": ["Segment", 0, [0, 128, 256, 512, 1024, 2048, 4096, 8192]],
  "sp-overlap": ["Overlap, %", 50, [0, 50, 75]],
  "sp-root": ["per √Hz", false],
  "sp-db": ["dB", true],
  "sp-log": ["Logarithmic Hz", false],
  "sp-x": ["x, solid", true],
  "sp-y": ["y, dashed", true],
  "sp-z": ["z, dotted", true],
  "sp-sum": ["Sum, bold", true],
  "sp-hold": ["Hold maximum", false],
};
export const SETTINGS = { spectrum: false, "sp-scale": "", ...defaultsOf(CONTROLS) };

const EVERY_MS = 200;
const SHARE = 10; // 30 ms of calculation are followed by 300 ms without
const SAID_MS = 5000; // how often the words for screen readers change
const PRINTER_HZ = [5, 200]; // what Klipper's graphs show
const byId = (id) => document.getElementById(id);

export class SpectrumView {
  every_ms = 60; // the cursor follows a finger
  #page;
  #isShown;
  #plot;
  #welch = new Welch();
  #reference = new Reference(() => localStorage);
  #result = null;
  #peaks = [];
  #hold = null; // a result whose densities are the greatest so far
  #limits = null;
  #fixed;
  #of = null; // what time the result is of
  #isDue = true; // to be drawn
  #notBefore_ms = 0; // the next calculation
  #said_ms = -Infinity;
  #asking = new AbortController();
  #restFrom_s = NaN; // the noise at rest is measured since

  constructor(page) {
    this.#page = page;
    const { settings } = page;
    const repaint = () => {
      this.#isDue = true;
      page.wake();
    };
    this.#plot = new DensityPlot(byId("spectrum-canvas"), () => this.#result?.resolution_hz ?? 1, repaint);
    const recalculate = () => {
      this.#of = this.#hold = this.#limits = null;
      repaint();
    };
    addControls("spectrum-controls", settings, CONTROLS, recalculate);
    this.#isShown = openable("spectrum", settings, repaint);
    const onClick = (id, call) => byId(id).addEventListener("click", () => (call(), repaint()));
    onClick("sp-keep", () => this.#result && this.#reference.keep(this.#result, Date.now()));
    onClick("sp-remove", () => this.#reference.remove());
    onClick("sp-rest", () => {
      this.#restFrom_s = page.series.newest_s;
      show("sp-noise", `Keep the sensor still for ${REST_S} s.`);
    });
    this.#fixed = fixable("sp", settings, () => this.#limits, recalculate);
  }

  get wantsRaw() {
    return this.#page.settings.get("spectrum");
  }

  get canvas() {
    return this.#plot.canvas;
  }

  /** The unit of spectrumCsv(). */
  spectrumUnit() {
    return unitOf({ printer: this.#set("printer") });
  }

  spectrumCsv() {
    return this.#result ? csvOf(this.#result, this.#style) : "";
  }

  paint(now_ms) {
    if (!this.#isShown()) return;
    this.#measureNoise();
    const { range, series } = this.#page;
    const of = range.live ? `${series.newest_s}` : `${range.from_s} ${range.to_s}`;
    if (of !== this.#of && now_ms >= this.#notBefore_ms) {
      this.#of = of;
      this.#notBefore_ms = now_ms + EVERY_MS;
      void this.#calculate(range);
    }
    if (this.#isDue) this.#draw(now_ms);
  }

  #set(name) {
    return this.#page.settings.get(`sp-${name}`);
  }

  get #style() {
    return { printer: this.#set("printer"), root: this.#set("root"), db: this.#set("db") };
  }

  async #calculate({ live, from_s, to_s }) {
    const { raw, series } = this.#page;
    this.#asking.abort();
    const { signal } = (this.#asking = new AbortController());
    try {
      // Live, what there is has to do: it is soon complete.
      const newest_s = series.newest_s;
      const samples = live ? raw.slice(newest_s - this.#set("last"), newest_s) : await this.#page.samples(from_s, to_s, signal);
      if (!signal.aborted) this.#take(samples);
    } catch (error) {
      if (!signal.aborted) show("sp-words", `The samples did not come: ${error.message}`);
    }
  }

  #take(samples) {
    const began_ms = performance.now();
    const options = { window: this.#set("window"), length: this.#set("segment"), overlap: this.#set("overlap"), printer: this.#set("printer") };
    const result = this.#welch.compute(samples, options);
    show("sp-words", describe(result, samples));
    this.#tabulate(samples, result);
    this.#isDue = true;
    if (result.segments > 0) {
      this.#result = result;
      this.#peaks = peaksOf(this.#strongest(result), result);
      if (this.#set("hold")) this.#keepGreatest(result);
    }
    const cost_ms = performance.now() - began_ms;
    this.canvas.dataset.ms = cost_ms.toFixed(1);
    this.#notBefore_ms = Math.max(this.#notBefore_ms, began_ms + SHARE * cost_ms);
    this.#page.wake();
  }

  get #axes() {
    return [0, 1, 2, 3].filter((axis) => this.#set(NAMES[axis]));
  }

  /** The sum of the axes, or of those that are shown. */
  #strongest({ psd }) {
    return this.#set("sum") ? psd[3] : psd[3].map((_, k) => this.#axes.reduce((sum, axis) => sum + psd[axis][k], 0));
  }

  #keepGreatest(result) {
    if (!this.#hold || !isSameGrid(this.#hold, result)) this.#hold = { ...result, psd: result.psd.map((axis) => axis.slice()) };
    this.#hold.psd.forEach((axis, i) => axis.forEach((value, k) => (axis[k] = Math.max(value, result.psd[i][k]))));
  }

  #tabulate(samples, result) {
    const to_hz = bandTo_hz(result);
    show("sp-band", Number.isNaN(to_hz) ? "" : `, 10 to ${to_hz.toFixed(0)} Hz`);
    [samples.ax, samples.ay, samples.az].forEach((values, axis) => {
      const { rms, peak, crest } = swing(values);
      const figures = [rms.toFixed(4), peak.toFixed(4), crest.toFixed(2), velocity_mm_s(result.psd[axis], result).toFixed(2)];
      figures.forEach((text, i) => {
        byId("sp-table").rows[axis + 1].cells[i + 1].textContent = text === "NaN" ? "\u2013" : text;
      });
    });
  }

  #measureNoise() {
    const to_s = this.#restFrom_s + REST_S;
    if (!(this.#page.series.newest_s >= to_s)) return;
    show("sp-noise", noiseText(noiseOf(this.#page.raw.slice(this.#restFrom_s, to_s), this.#welch)));
    this.#restFrom_s = NaN;
  }

  #draw(now_ms) {
    const result = this.#result;
    if (!result) return;
    this.#isDue = false;
    const style = this.#style;
    const width_hz = result.resolution_hz;
    const log = this.#set("log");
    const top_hz = result.fs_hz / 2;
    const frequencies = style.printer ? [PRINTER_HZ[0], Math.min(PRINTER_HZ[1], top_hz)] : [log ? width_hz : 0, top_hz];
    const { kept } = this.#reference;
    const lines = [[kept, "reference"], [this.#hold, "hold"], [result, ""]].filter(([of]) => of);
    const traces = lines.flatMap(([of, look]) => this.#axes.map((axis) => {
      return { axis, look, values: Array.from(of.psd[axis], (value) => shownOf(value, style)), width_hz: of.resolution_hz };
    }));
    const inside = (hz) => hz > 0 && hz >= frequencies[0] && hz <= frequencies[1];
    const values = traces.flatMap((trace) => trace.values.filter((_, k) => inside(k * trace.width_hz)));
    this.#limits = this.#fixed() ?? limitsOf(values, style.db, this.#limits);
    const strongest = this.#strongest(result);
    const labels = this.#peaks.map((peak) => ({ hz: peak.f_hz, value: shownOf(strongest[peak.k], style), text: peaksText([peak], width_hz) }));
    this.#plot.draw({ traces, labels, frequencies, limits: this.#limits, log });

    show("sp-unit", unitOf(style));
    show("sp-peaks", `Peaks: ${peaksText(this.#peaks, width_hz)}`);
    show("sp-reference", kept ? `Reference of ${new Date(kept.wall_ms).toLocaleString()}, pale` : "");
    this.#read(style);
    if (now_ms - this.#said_ms < SAID_MS) return;
    this.#said_ms = now_ms;
    this.canvas.ariaLabel = `Spectrum up to ${hertz(frequencies[1], width_hz)}. ${byId("sp-peaks").textContent}`;
  }

  /** The values at the cursor. */
  #read(style) {
    const { psd, resolution_hz } = this.#result;
    const k = Math.min(psd[3].length - 1, Math.round(this.#plot.cursor_hz / resolution_hz));
    const values = this.#axes.map((axis) => `${NAMES[axis]} ${figure(shownOf(psd[axis][k], style), 4)}`);
    show("sp-cursor", this.#plot.cursor_hz === null ? "" : `${hertz(k * resolution_hz, resolution_hz)}: ${values.join(", ")}`);
  }
}
