/* A plot: the axes of one quantity over time, on one canvas: grid, ticks, gaps, curves, marks and cursors.
 *
 * The curves lie on a sheet of their own (curves.js). All else is drawn in each painting, but the figures at the left
 * edge, which change only with the scale. Lengths are pixels of the screen, except where a caller gives them. */

import { byHand, fitted, rangeOf } from "../model/scale.js";
import { decimals, multiples, niceStep, relativeLabel, timeStep, wallLabel, wallTicks } from "../model/ticks.js";
import { Curves } from "./curves.js";

const GUTTER_PX = 46; // holds "−2000" and the letter of an axis
const FOOT_PX = 18; // the time axis
const MARGIN_PX = 6; // above and below a strip
const FONT_PX = 11;
const TICK_X_PX = 84; // between ticks, at least: "14:03:22.5" and some air
const EDGE_PX = 28; // so near to the edge a label is cut
const TICK_Y_PX = 26;
const FLAG_PX = 15; // of a mark
const MAX_TEXT = 24; // letters of a mark
const DASH_PX = [4, 7]; // ink and period of a dashed rule
const INKS = ["x", "y", "z", "t", "paper", "rule", "edge", "muted", "ink", "alarm"];

export class Plot {
  #canvas;
  #g;
  #quantity;
  #curves = new Curves(document.createElement("canvas"));
  #ratio = 1;
  #unit = 1; // the width of a rule
  #left = 0;
  #width = 1; // of the curves
  #height = 1;
  #inks = {};
  #font = "";
  #strips = [];
  #layout = "";
  #k = 1; // pixels a second
  #origin = 0; // the pixel of an endless paper at the left edge of the curves
  #fresh = true;

  /** `quantity`: see quantities.js. The canvas need not be in the page. */
  constructor(canvas, quantity) {
    this.#canvas = canvas;
    this.#g = canvas.getContext("2d", { alpha: false });
    this.#quantity = quantity;
  }

  /** Takes the page's colours, and its own size in CSS pixels: after a change of layout, theme or pixel ratio. */
  restyle(width = this.#canvas.clientWidth, height = this.#canvas.clientHeight, ratio = window.devicePixelRatio || 1) {
    const style = getComputedStyle(document.body);
    for (const name of INKS) this.#inks[name] = style.getPropertyValue(`--${name}`).trim();
    this.#font = `${FONT_PX * ratio}px ${style.fontFamily}`;
    this.#ratio = ratio;
    this.#unit = Math.max(1, Math.round(ratio));
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    this.#left = Math.round(GUTTER_PX * ratio);
    this.#width = Math.max(1, this.#canvas.width - this.#left);
    this.#height = Math.max(1, this.#canvas.height - Math.round(FOOT_PX * ratio));
    this.#curves.resize(this.#width, this.#height, ratio);
    this.#layout = "";
  }

  /** Where `x`, in CSS pixels, is between the left (0) and the right edge (1) of the curves. */
  share(x) {
    return (x * this.#ratio - this.#left) / this.#width;
  }

  inTimeAxis(y) {
    return y * this.#ratio >= this.#height;
  }

  /** Of the first strip; null when there is none. */
  get scale() {
    return this.#strips[0]?.scale ?? null;
  }

  /** When a sample with `flag` was last drawn; −Infinity before. */
  seen(flag) {
    return this.#curves.seen(flag);
  }

  /** The time of a CSS pixel. */
  get pixel_s() {
    return this.#ratio / this.#k;
  }

  /** Paints `scene`, see plots.js. */
  paint(scene) {
    this.#k = this.#width / scene.span_s;
    this.#origin = Math.round(scene.from_s * this.#k);
    this.#arrange(scene);
    this.#fresh ||= scene.fresh;
    let rescaled = false;
    for (const strip of this.#strips) rescaled = this.#rescale(strip, scene) || rescaled;
    if (rescaled || this.#fresh) this.#drawFigures();
    const margin_s = 2 * Math.max(this.pixel_s, scene.period_s || 1); // a line comes in from outside
    const window = { k: this.#k, origin: this.#origin, margin_s };
    this.#curves.draw(scene.series, window, this.#strips, this.#inks, this.#fresh || rescaled);
    this.#fresh = false;

    const g = this.#g;
    g.save();
    g.beginPath();
    g.rect(this.#left, 0, this.#width, this.#canvas.height);
    g.clip();
    g.translate(this.#left, 0);
    g.fillStyle = this.#inks.paper;
    g.fillRect(0, 0, this.#width, this.#canvas.height);
    this.#drawGrid(scene);
    this.#drawGaps(scene);
    g.drawImage(this.#curves.canvas, 0, 0);
    this.#drawMarks(scene);
    this.#drawCursors(scene);
    g.restore();
  }

  /** Lays out the strips: one for all axes that are on, or one each. */
  #arrange({ off, apart, scale }) {
    const on = this.#quantity.axes.map((axis, i) => ({ ...axis, ink: this.#inks[axis.ink], dash: apart ? 0 : i }))
      .filter(({ key }) => !off.has(key));
    const layout = `${apart} ${on.map(({ key }) => key)} ${scale}`;
    if (layout === this.#layout) return;
    this.#layout = layout;
    this.#fresh = true;
    const groups = apart && on.length > 0 ? on.map((axis) => [axis]) : [on];
    const margin = Math.round(MARGIN_PX * this.#ratio);
    const edge = (i) => Math.round((i * this.#height) / groups.length);
    this.#strips = groups.map((axes, i) => ({ axes, top: edge(i) + margin, bottom: edge(i + 1) - margin, scale: null, until_s: NaN }));
  }

  /** Gives a strip its scale; whether that is another one. */
  #rescale(strip, { series, from_s, span_s, chip, scale }) {
    const { span, unit, fixed } = this.#quantity;
    const present = strip.scale;
    strip.scale = scale === "range" ? (rangeOf(chip, unit) ?? fixed) : byHand(scale);
    if (!strip.scale) {
      // Between two fresh paintings only what is new can make it wider.
      if (this.#fresh || !(strip.until_s >= from_s)) Object.assign(strip, { least: Infinity, greatest: -Infinity, until_s: from_s });
      const to_s = from_s + span_s;
      for (const { key } of strip.axes) {
        const { least, greatest } = series.extremes(key, strip.until_s, to_s);
        strip.least = Math.min(strip.least, least);
        strip.greatest = Math.max(strip.greatest, greatest);
      }
      strip.until_s = Math.max(from_s, to_s - 1); // arbitrary; bins that may still have grown
      strip.scale = fitted(present, strip.least, strip.greatest, span);
    }
    return strip.scale?.low !== present?.low || strip.scale?.high !== present?.high;
  }

  #x(t_s) {
    return Math.round(t_s * this.#k) - this.#origin;
  }

  #y({ top, bottom, scale }, value) {
    return Math.round(bottom - ((value - scale.low) / (scale.high - scale.low)) * (bottom - top));
  }

  /** The values with a rule. */
  #levels({ top, bottom, scale: { low, high } }) {
    const step = niceStep((high - low) / Math.max(2, Math.floor((bottom - top) / (TICK_Y_PX * this.#ratio))));
    return { step, values: multiples(low, high, step) };
  }

  #drawFigures() {
    const g = this.#g;
    g.fillStyle = this.#inks.paper;
    g.fillRect(0, 0, this.#left, this.#canvas.height);
    g.font = this.#font;
    g.textBaseline = "middle";
    for (const strip of this.#strips.filter(({ scale }) => scale)) {
      const { step, values } = this.#levels(strip);
      g.textAlign = "right";
      g.fillStyle = this.#inks.muted;
      for (const value of values) {
        g.fillText(value.toFixed(decimals(step)).replace("-", "\u2212"), this.#left - 5 * this.#unit, this.#y(strip, value));
      }
      if (strip.axes.length !== 1) continue;
      g.textAlign = "left";
      g.fillStyle = strip.axes[0].ink;
      g.fillText(strip.axes[0].letter, 2 * this.#unit, (strip.top + strip.bottom) / 2);
    }
  }

  #drawGrid(scene) {
    const g = this.#g;
    const { ticks, label } = this.#ticks(scene);
    g.fillStyle = this.#inks.rule;
    for (const strip of this.#strips.filter(({ scale }) => scale)) {
      for (const value of this.#levels(strip).values) g.fillRect(0, this.#y(strip, value), this.#width, this.#unit);
    }
    for (const t_s of ticks) g.fillRect(this.#x(t_s), 0, this.#unit, this.#height);
    g.fillStyle = this.#inks.edge;
    g.fillRect(0, this.#height, this.#width, this.#unit);
    g.fillStyle = this.#inks.muted;
    g.font = this.#font;
    g.textAlign = "center";
    g.textBaseline = "middle";
    for (const t_s of ticks) {
      const x = this.#x(t_s);
      if (x > EDGE_PX * this.#ratio) g.fillText(label(t_s), x, (this.#height + this.#canvas.height) / 2);
    }
  }

  /** The times with a rule, and what is written there. */
  #ticks({ from_s, span_s, timeline, relative, zero_s }) {
    const step = timeStep(span_s, Math.max(2, this.#width / (TICK_X_PX * this.#ratio)));
    if (relative) {
      const ticks = multiples(from_s - zero_s, from_s + span_s - zero_s, step).map((s) => s + zero_s);
      return { ticks, label: (t_s) => relativeLabel(t_s - zero_s, step) };
    }
    const ticks = wallTicks(timeline.wall_s(from_s), timeline.wall_s(from_s + span_s), step);
    return { ticks: ticks.map((wall_s) => timeline.t_s(wall_s)), label: (t_s) => wallLabel(timeline.wall_s(t_s), step) };
  }

  #dashed(x) {
    const [ink, period] = DASH_PX.map((px) => px * this.#unit);
    for (let y = 0; y < this.#height; y += period) this.#g.fillRect(x, y, this.#unit, Math.min(ink, this.#height - y));
  }

  /** What was not measured: a tinted stretch that ends in a dashed rule. */
  #drawGaps({ gaps }) {
    const g = this.#g;
    g.fillStyle = this.#inks.alarm;
    let drawn = NaN;
    for (const { t_s, before_s } of gaps) {
      const to = this.#x(t_s);
      const from = Math.max(0, this.#x(before_s < t_s ? before_s : t_s));
      g.globalAlpha = 0.13;
      if (to > from) g.fillRect(from, 0, to - from, this.#height);
      g.globalAlpha = 1;
      if (to !== drawn) this.#dashed(to);
      drawn = to;
    }
  }

  #drawMarks({ marks, timeline }) {
    const g = this.#g;
    g.textAlign = "left";
    for (const { wall_s, text } of marks) {
      const x = this.#x(timeline.t_s(wall_s));
      if (!(x > -this.#width && x < this.#width)) continue;
      const words = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
      g.fillStyle = this.#inks.ink;
      g.fillRect(x, 0, this.#unit, this.#height);
      const width = g.measureText(words).width + 8 * this.#unit;
      const left = x + width > this.#width ? x - width : x;
      g.fillRect(left, 0, width, FLAG_PX * this.#ratio);
      g.fillStyle = this.#inks.paper;
      g.fillText(words, left + 4 * this.#unit, (FLAG_PX * this.#ratio) / 2);
    }
  }

  #drawCursors({ cursor_s, pin_s, selection }) {
    const g = this.#g;
    g.fillStyle = this.#inks.ink;
    if (selection) {
      g.globalAlpha = 0.15;
      g.fillRect(this.#x(selection[0]), 0, this.#x(selection[1]) - this.#x(selection[0]), this.#canvas.height);
      g.globalAlpha = 1;
    }
    if (!Number.isNaN(cursor_s)) g.fillRect(this.#x(cursor_s), 0, this.#unit, this.#height);
    if (!Number.isNaN(pin_s)) this.#dashed(this.#x(pin_s));
  }
}
