/* The spectrum: of the newest seconds while live, of the window on screen while paused. It costs nothing until it is opened;
 * then the stream brings every sample, and it is calculated and drawn for no more than a tenth of the time. What is shown is
 * said below it. */

import { REST_S, noiseOf, noiseText } from "../model/noise.js";
import { peaksOf } from "../model/peaks.js";
import { WINDOWS, Welch, isSameRate } from "../model/psd.js";
import { Reference } from "../model/reference.js";
import { NAMES, csvOf, describe, figure, hertz, limitsOf, peaksText, shownOf, unitOf } from "../model/spectrum.js";
import { bandTo_hz, swing, velocity_mm_s } from "../model/vibration.js";
import { addControls, defaultsOf, fixable, openable } from "./controls.js";
import { DensityPlot } from "./density.js";
import { show } from "./elements.js";

const CONTROLS = {
  "sp-last": ["Last, s", 10, [1, 2, 5, 10, 30, 60]],
  "sp-printer": ["Printer preset (Klipper)", false],
  "sp-window": ["Window", "hann", Object.keys(WINDOWS)],
  "sp-segment": ["Segment", 0, [0, 128, 256, 512, 1024, 2048, 4096, 8192]],
  "sp-overlap": ["Overlap, %", "50", ["0", "50", "75"]],
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
const SHARE = 10; // 30 ms of work are followed by 300 ms without
const SAID_MS = 5000; // how often the words for screen readers change
const PRINTER_HZ = [5, 200]; // what Klipper's graphs show
const byId = (id) => document.getElementById(id);

export class SpectrumView {
  every_ms = 60; // the cursor follows a finger
  #page;
  #isShown;
  #plot;
  #fixed;
  #welch = new Welch();
  #reference = new Reference(() => localStorage);
  #result = null;
  #peaks = [];
  #hold = null; // a result whose densities are the greatest so far
  #limits = null;
  #samples = null; // that the result is of
  #of = ""; // their time
  #isStale = false; // calculated with other settings
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
    const recalculate = () => {
      this.#hold = this.#limits = null;
      this.#isStale = true;
      repaint();
    };
    this.#plot = new DensityPlot(byId("spectrum-canvas"), () => this.#result?.bin_hz ?? 1, repaint);
    addControls("spectrum-controls", settings, CONTROLS, recalculate);
    this.#fixed = fixable("sp", settings, () => this.#limits, recalculate);
    this.#isShown = openable("spectrum", settings, repaint);
    const onClick = (id, call) => byId(id).addEventListener("click", () => repaint(call()));
    onClick("sp-keep", () => this.#reference.keep(this.#result, Date.now()));
    onClick("sp-remove", () => this.#reference.keep(null));
    onClick("sp-rest", () => {
      this.#restFrom_s = page.series.newest_s;
      show("sp-noise", `Keep the sensor still for ${REST_S} s.`);
    });
  }

  get wantsRaw() {
    return this.#page.settings.get("spectrum");
  }

  get canvas() {
    return this.#plot.canvas;
  }

  spectrumCsv() {
    return this.#result ? csvOf(this.#result, this.#style) : "";
  }

  paint(now_ms) {
    if (!this.#isShown()) return;
    this.#measureNoise();
    const { range, series } = this.#page;
    const of = range.live ? `${series.newest_s} ${this.#set("last")}` : `${range.from_s}..${range.to_s}`;
    if (of !== this.#of && now_ms >= this.#notBefore_ms) {
      this.#of = of;
      this.#notBefore_ms = now_ms + EVERY_MS;
      void this.#get(range);
    } else if (this.#isStale && this.#samples) this.#calculate();
    if (this.#isDue && this.#result) this.#draw(now_ms);
  }

  #set(name) {
    return this.#page.settings.get(`sp-${name}`);
  }

  get #style() {
    return { printer: this.#set("printer"), root: this.#set("root"), db: this.#set("db") };
  }

  get #axes() {
    return [0, 1, 2, 3].filter((axis) => this.#set(NAMES[axis]));
  }

  async #get({ live, from_s, to_s }) {
    const { raw, series } = this.#page;
    this.#asking.abort();
    const { signal } = (this.#asking = new AbortController());
    try {
      // Live, what there is has to do: it is soon complete.
      const samples = live ? raw.slice(series.newest_s - this.#set("last"), series.newest_s) : await this.#page.samples(from_s, to_s, signal);
      if (signal.aborted) return;
      this.#samples = samples;
      this.#calculate();
    } catch (error) {
      if (!signal.aborted) show("sp-words", `The samples did not come: ${error.message}`);
    }
  }

  #calculate() {
    this.#isStale = false;
    const samples = this.#samples;
    const began_ms = performance.now();
    const [window, length, overlap] = ["window", "segment", "overlap"].map((name) => this.#set(name));
    const result = this.#welch.compute(samples, { window, length, overlap, printer: this.#set("printer") });
    show("sp-words", describe(result, samples));
    this.#tabulate(samples, result);
    if (result.segments > 0) {
      this.#result = result;
      this.#peaks = peaksOf(this.#strongest, result);
      if (this.#set("hold")) this.#keepGreatest(result);
    }
    this.#isDue = true;
    this.#restSince(began_ms);
    this.#page.wake();
  }

  /** Puts the next calculation off, by what has been done since then. */
  #restSince(began_ms) {
    this.#notBefore_ms = Math.max(this.#notBefore_ms, began_ms + SHARE * (performance.now() - began_ms));
  }

  /** The sum of the axes, or of those that are shown. */
  get #strongest() {
    const { psd } = this.#result;
    return this.#set("sum") ? psd[3] : psd[3].map((_, k) => this.#axes.reduce((sum, axis) => sum + psd[axis][k], 0));
  }

  #keepGreatest({ psd, fs_hz, length }) {
    const { fs_hz: held_hz, length: held } = this.#hold ?? {};
    if (held !== length || !isSameRate(fs_hz, held_hz)) this.#hold = { ...this.#result, psd: psd.map((axis) => axis.slice()) };
    this.#hold.psd.forEach((axis, i) => axis.forEach((value, k) => (axis[k] = Math.max(value, psd[i][k]))));
  }

  #tabulate(samples, result) {
    const to_hz = bandTo_hz(result);
    show("sp-band", to_hz ? `, 10 to ${to_hz.toFixed(0)} Hz` : "");
    [samples.ax, samples.ay, samples.az].forEach((values, axis) => {
      const { rms, peak, crest } = swing(values);
      const figures = [rms.toFixed(4), peak.toFixed(4), crest.toFixed(2), velocity_mm_s(result.psd[axis], result).toFixed(2)];
      const { cells } = byId("sp-table").rows[axis + 1];
      figures.forEach((text, i) => (cells[i + 1].textContent = text === "NaN" ? "\u2013" : text));
    });
  }

  #measureNoise() {
    const to_s = this.#restFrom_s + REST_S;
    if (!(this.#page.series.newest_s >= to_s)) return;
    show("sp-noise", noiseText(noiseOf(this.#page.raw.slice(this.#restFrom_s, to_s), this.#welch)));
    this.#restFrom_s = NaN;
  }

  #draw(now_ms) {
    this.#isDue = false;
    const began_ms = performance.now();
    setTimeout(() => this.#restSince(began_ms)); // when the browser has filled in what is drawn
    const { bin_hz, fs_hz } = this.#result;
    const style = this.#style;
    const log = this.#set("log");
    const frequencies = style.printer ? [PRINTER_HZ[0], Math.min(PRINTER_HZ[1], fs_hz / 2)] : [log ? bin_hz : 0, fs_hz / 2];
    const { kept } = this.#reference;
    const lines = [[kept, "reference"], [this.#hold, "hold"], [this.#result, ""]].filter(([of]) => of);
    const traces = lines.flatMap(([of, look]) => this.#axes.map((axis) => {
      return { axis, look, bin_hz: of.bin_hz, values: Array.from(of.psd[axis], (value) => shownOf(value, style)) };
    }));
    const inside = (hz) => hz > 0 && hz >= frequencies[0] && hz <= frequencies[1];
    const values = traces.flatMap((trace) => trace.values.filter((_, k) => inside(k * trace.bin_hz)));
    this.#limits = this.#fixed() ?? limitsOf(values, style.db, this.#limits);
    const strongest = this.#strongest;
    const labels = this.#peaks.map((peak) => ({ hz: peak.f_hz, value: shownOf(strongest[peak.k], style), text: peaksText([peak], bin_hz) }));
    this.#plot.draw({ traces, labels: labels.filter(({ hz }) => inside(hz)), frequencies, limits: this.#limits, log });

    show("sp-unit", unitOf(style));
    show("sp-peaks", `Peaks: ${peaksText(this.#peaks, bin_hz)}`);
    show("sp-reference", kept ? `Reference of ${new Date(kept.wall_ms).toLocaleString()}, pale` : "");
    this.#read(style);
    if (now_ms - this.#said_ms < SAID_MS) return;
    this.#said_ms = now_ms;
    this.canvas.ariaLabel = `Spectrum up to ${hertz(frequencies[1], bin_hz)}. ${byId("sp-peaks").textContent}`;
  }

  /** Says the values at the cursor. */
  #read(style) {
    const { psd, bin_hz } = this.#result;
    const hz = this.#plot.cursor_hz;
    const k = Math.min(psd[3].length - 1, Math.round(hz / bin_hz));
    const values = this.#axes.map((axis) => `${NAMES[axis]} ${figure(shownOf(psd[axis][k], style), 4)}`);
    show("sp-cursor", hz === null ? "" : `${hertz(k * bin_hz, bin_hz)}: ${values.join(", ")}`);
  }
}
