/* The waterfall: the spectra of the last minutes, the newest on top; a gap is a blank row. It costs nothing until it is opened.
 * A row is calculated and drawn once; afterwards its picture is only moved. */

import { Frame } from "../model/frame.js";
import { Welch, isSameRate } from "../model/psd.js";
import { NAMES, figure, hertz } from "../model/spectrum.js";
import { multiples, niceStep } from "../model/ticks.js";
import { COLUMNS, ROWS, Waterfall, coloursOf, dbOf } from "../model/waterfall.js";
import { addControls, defaultsOf, fixable, openable } from "./controls.js";
import { follow, prepare } from "./density.js";
import { show } from "./elements.js";

const CONTROLS = { "wf-minutes": ["Minutes", 2, [1, 2, 5]], "wf-axis": ["Axis", "sum", NAMES] };
export const SETTINGS = { waterfall: false, "wf-scale": "", ...defaultsOf(CONTROLS) };

const MOST_ROWS = 20; // in one painting, after a pause
const SEGMENT_S = 0.7; // at the most; for so long a gap is blank
const within = (number, end) => Math.min(end - 1, Math.max(0, Math.floor(number)));

export class WaterfallView {
  #page;
  #isShown;
  #canvas = document.getElementById("waterfall-canvas");
  #sheet = document.createElement("canvas"); // a pixel for each level
  #drawn = NaN; // the newest row on it
  #welch = new Welch();
  #rings; // of x, y, z and the sum
  #fs_hz = NaN;
  #limits = null; // dB of the darkest and the brightest
  #fixed;
  #frame = null;
  #cursor = null; // [column, row]
  #isDue = true;

  constructor(page) {
    this.#page = page;
    const { settings } = page;
    Object.assign(this.#sheet, { width: COLUMNS, height: ROWS });
    const repaint = () => {
      this.#isDue = true;
      page.wake();
    };
    const redraw = () => {
      this.#limits = null;
      repaint();
    };
    this.#clear();
    settings.on("wf-minutes", () => this.#clear());
    addControls("waterfall-controls", settings, CONTROLS, redraw);
    this.#fixed = fixable("wf", settings, () => this.#limits, redraw);
    this.#isShown = openable("waterfall", settings, repaint);
    const put = (column, row) => {
      this.#cursor = column === null ? null : [within(column, COLUMNS), within(row, ROWS)];
      repaint();
    };
    follow(
      this.#canvas,
      (x, y) => {
        const { left, right, top, bottom } = this.#frame ?? {};
        put(((x - left) / (right - left)) * COLUMNS, ((y - top) / (bottom - top)) * ROWS);
      },
      (x, y) => put(x === null ? x : (this.#cursor?.[0] ?? 0) + x, (this.#cursor?.[1] ?? 0) + y),
    );
  }

  get wantsRaw() {
    return this.#page.settings.get("waterfall");
  }

  paint() {
    if (!this.wantsRaw) return;
    this.#collect();
    if (this.#isDue && this.#isShown()) this.#draw();
  }

  get #row_s() {
    return (60 * this.#page.settings.get("wf-minutes")) / ROWS;
  }

  #clear() {
    this.#rings = NAMES.map(() => new Waterfall());
    this.#limits = null;
  }

  #collect() {
    const { raw, series } = this.#page;
    const complete = Math.floor(series.newest_s / this.#row_s) - 1;
    const { newest } = this.#rings[0];
    const first = newest <= complete ? Math.max(newest + 1, complete - ROWS) : Math.ceil(raw.oldest_s / this.#row_s);
    for (let number = first; number <= Math.min(complete, first + MOST_ROWS); number += 1) this.#add(number);
  }

  #add(number) {
    this.#isDue = true;
    const to_s = (number + 1) * this.#row_s;
    const length = Math.max(16, 2 ** Math.floor(Math.log2(SEGMENT_S * this.#fs_hz || 1)));
    const samples = this.#page.raw.slice(to_s - Math.max(this.#row_s, (1.02 * length) / this.#fs_hz || SEGMENT_S), to_s);
    const { t_s, broken } = samples;
    const isGap = broken.some((is, i) => is && t_s[i] >= to_s - this.#row_s);
    const { psd, segments, fs_hz, bin_hz } = this.#welch.compute(samples, { length });
    if (fs_hz > 0 && !isSameRate(fs_hz, this.#fs_hz)) {
      this.#fs_hz = fs_hz; // the next row goes by it
      this.#clear();
      return;
    }
    this.#rings.forEach((ring, axis) => ring.add(number, segments > 0 && !isGap ? psd[axis] : null, bin_hz, this.#fs_hz / 2));
  }

  #draw() {
    this.#isDue = false;
    const ring = this.#rings[NAMES.indexOf(this.#page.settings.get("wf-axis"))];
    const limits = this.#fixed() ?? ring.range(this.#limits);
    if (!limits) return;
    this.#scroll(ring, limits);
    const { g, frame, ink } = prepare(this.#canvas, (box) => new Frame(box, [0, this.#fs_hz / 2], [ROWS * this.#row_s, 0]));
    this.#frame = frame;
    for (const age_s of multiples(0, frame.low, niceStep(frame.low / 4))) {
      g.fillText(age_s ? `${figure(-age_s, 3)} s` : "now", frame.left - 4, frame.y(age_s) + (age_s ? 4 : 10));
    }
    g.imageSmoothingEnabled = false;
    g.drawImage(this.#sheet, frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
    const [low, high] = limits.map((db) => figure(Math.round(db), 3));
    show("wf-words", `Dark blue is ${low} dB, yellow ${high} dB of 1 g²/Hz; blank is a gap, or no samples`);
    show("wf-cursor", this.#cursor ? this.#read(g, frame, ink, ring) : "");
  }

  /** Brings the sheet up to the newest row. */
  #scroll(ring, limits) {
    const isSame = limits === this.#limits || String(limits) === String(this.#limits);
    const fresh = isSame && this.#drawn <= ring.newest ? Math.min(ROWS, ring.newest - this.#drawn) : ROWS;
    this.#drawn = ring.newest;
    this.#limits = limits;
    if (fresh === 0) return;
    const g = this.#sheet.getContext("2d");
    const colours = coloursOf(limits);
    const pixels = new Uint32Array(fresh * COLUMNS);
    for (let row = 0; row < fresh; row += 1) pixels.set(Array.from(ring.row(ring.newest - row), (level) => colours[level]), row * COLUMNS);
    g.globalCompositeOperation = "copy"; // over clear rows too
    g.drawImage(this.#sheet, 0, fresh);
    g.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), COLUMNS), 0, 0);
  }

  /** Draws the cursor; → what is there. */
  #read(g, frame, ink, ring) {
    const [column, row] = this.#cursor;
    const hz = ((column + 0.5) * frame.to_hz) / COLUMNS;
    const age_s = row * this.#row_s;
    const level = ring.row(ring.newest - row)[column];
    g.fillStyle = ink("alarm");
    g.fillRect(frame.x(hz), frame.top, 1, frame.bottom - frame.top);
    g.fillRect(frame.left, frame.y(age_s), frame.right - frame.left, 1);
    return `${hertz(hz, 1)}, ${age_s.toFixed(1)} s ago: ${level ? `${figure(dbOf(level), 3)} dB` : "no samples"}`;
  }
}
