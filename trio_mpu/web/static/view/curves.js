/* Curves: the inked part of a plot, on a sheet of its own that the plot lays over its grid.
 *
 * Rules
 *   1. A bin is a bar from its least to its greatest value, at least a pixel wide: in no window, however long, does a
 *      sample vanish. Over the bars goes a line through the means.
 *   2. Time is counted in whole pixels of an endless paper, so the sheet can be moved instead of drawn again: then only
 *      the bins that are new, or may have grown, are drawn.
 *   3. Without a graphics card a line one pixel wide costs a thirtieth of a wider one: a line here is several of those.
 *   4. Dashes are cut by pixels of the paper, not along the line: so they move with it, and cost little. */

import { CLIPPED, CLOCK_STEP, LIFTED, REPEATED } from "../model/bins.js";

const BINS = 0.499; // asked for, per CSS pixel: the series gives up to four times as many
const BAND = 0.4; // how opaque the bars are
const LINE_PX = 1.3;
const LINE_STEP = 0.6; // between the lines that make one
const EDGE_PX = 4; // the marks of clipped and repeated samples
const DASHES_PX = [[Infinity, Infinity], [11, 7], [4, 2]]; // period and ink of the first, second and third axis

export class Curves {
  #g;
  #ratio = 1;
  #k = NaN; // pixels a second
  #origin = NaN; // the paper's pixel at the left edge
  #newest_s = new Map(); // by axis: where its newest bin begins
  #seen = new Map();
  // Of the curve being drawn:
  #strip;
  #inks;
  #last_s;
  #line;
  #dash;
  #down;
  #x;
  #y;

  /** `canvas` is the sheet. */
  constructor(canvas) {
    this.canvas = canvas;
    this.#g = canvas.getContext("2d");
  }

  resize(width, height, ratio) {
    Object.assign(this.canvas, { width, height });
    this.#ratio = ratio;
    this.#k = NaN;
  }

  /** When a sample with `flag` was last drawn; −Infinity before. */
  seen(flag) {
    return this.#seen.get(flag) ?? -Infinity;
  }

  /** Draws the bins of `series` from the paper's pixel `origin` on, `k` pixels a second; the neighbour of a bin is at most
   *  `margin_s` away. `strips`: [{ axes: [{ key, ink, dash }], top, bottom, scale }]. Unless `fresh`, these and the past are
   *  as in the call before. */
  draw(series, { k, origin, margin_s }, strips, inks, fresh) {
    const { width, height } = this.canvas;
    const g = this.#g;
    const moved = origin - this.#origin;
    const grown = [...this.#newest_s.values()].map((t_s) => Math.floor(t_s * k) - origin).filter((x) => x >= 0); // else it has ended
    const goesOn = !fresh && k === this.#k && moved >= 0 && moved < width && grown.length > 0;
    const left = goesOn ? Math.max(0, Math.min(width - moved, ...grown) - 2) : 0;
    const from_s = (origin + left) / k - margin_s;
    if (!goesOn) this.#newest_s.clear();
    else if (moved > 0) {
      g.globalCompositeOperation = "copy"; // what nothing is moved to becomes clear
      g.drawImage(this.canvas, -moved, 0);
      g.globalCompositeOperation = "source-over";
    }
    this.#k = k;
    this.#origin = origin;
    this.#inks = inks;
    g.save();
    g.beginPath();
    g.rect(left, 0, width - left, height);
    g.clip();
    g.clearRect(left, 0, width - left, height);
    for (const strip of strips) {
      this.#strip = strip;
      if (strip.scale) for (const axis of strip.axes) this.#curve(series, axis, from_s, (origin + width) / k + margin_s);
    }
    g.restore();
  }

  #curve(series, { key, ink, dash }, from_s, to_s) {
    const g = this.#g;
    this.#line = new Path2D();
    this.#dash = DASHES_PX[dash].map((px) => px * this.#ratio);
    this.#down = false;
    g.fillStyle = g.strokeStyle = ink;
    g.globalAlpha = BAND;
    series.each(key, from_s, to_s, ((to_s - from_s) * this.#k * BINS) / this.#ratio, this.#visit);
    if (this.#down) this.#newest_s.set(key, this.#last_s);
    g.globalAlpha = g.lineWidth = 1;
    const lines = Math.ceil(LINE_PX * this.#ratio);
    g.translate(0, (-LINE_STEP * (lines - 1)) / 2);
    for (let i = 0; i < lines; i += 1) {
      g.stroke(this.#line);
      g.translate(0, LINE_STEP);
    }
    g.translate(0, (-LINE_STEP * (lines + 1)) / 2);
  }

  #visit = (t0_s, t1_s, _first, least, greatest, _last, mean, _n, flags) => {
    if (Number.isNaN(mean)) {
      this.#down = false;
      return;
    }
    const { top, bottom, scale } = this.#strip;
    const perValue = (bottom - top) / (scale.high - scale.low);
    const left = Math.floor(t0_s * this.#k) - this.#origin;
    const width = Math.max(1, Math.floor(t1_s * this.#k) - this.#origin - left);
    if (greatest > least) {
      const upper = Math.max(top, Math.floor(bottom - (greatest - scale.low) * perValue));
      const lower = Math.min(bottom, Math.ceil(bottom - (least - scale.low) * perValue));
      if (lower > upper) this.#g.fillRect(left, upper, width, lower - upper);
    }
    const x = ((t0_s + t1_s) / 2) * this.#k - this.#origin;
    const y = Math.min(bottom, Math.max(top, bottom - (mean - scale.low) * perValue));
    if (this.#down && (flags & LIFTED) === 0) this.#to(x, y);
    else {
      this.#line.moveTo(x - 0.5, y); // so that a sample alone is a dot
      this.#line.lineTo(x + 0.5, y);
    }
    this.#x = x;
    this.#y = y;
    this.#down = true;
    this.#last_s = t0_s;
    if ((flags & ~LIFTED) !== 0) this.#flag(flags, left, width, t1_s);
  };

  /** Goes on with the line to (x, y), with the dashes of the axis. */
  #to(x, y) {
    const [period, on] = this.#dash;
    if (period === Infinity) {
      this.#line.lineTo(x, y);
      return;
    }
    const slope = (y - this.#y) / (x - this.#x);
    for (let begin = this.#x - ((this.#origin + this.#x) % period); begin < x; begin += period) {
      const from = Math.max(begin, this.#x);
      const to = Math.min(begin + on, x);
      if (to <= from) continue;
      this.#line.moveTo(from, this.#y + (from - this.#x) * slope);
      this.#line.lineTo(to, this.#y + (to - this.#x) * slope);
    }
  }

  /** A clipped sample has a mark at the strip's top, a repeated one at its bottom; a step of the clock is a rule. */
  #flag(flags, left, width, t_s) {
    const g = this.#g;
    const { top, bottom } = this.#strip;
    const ink = g.fillStyle;
    g.globalAlpha = 1;
    const mark = (flag, color, y, height) => {
      if ((flags & flag) === 0) return;
      this.#seen.set(flag, Math.max(this.seen(flag), t_s));
      g.fillStyle = color;
      g.fillRect(left, y, width, height);
    };
    const edge = EDGE_PX * this.#ratio;
    mark(CLIPPED, this.#inks.alarm, top, edge);
    mark(REPEATED, this.#inks.muted, bottom - edge, edge);
    mark(CLOCK_STEP, this.#inks.ink, top, bottom - top);
    g.fillStyle = ink;
    g.globalAlpha = BAND;
  }
}
