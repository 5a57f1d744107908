/* A trace: one axis on its strip of chart paper.
 *
 * The right edge is the newest sample, the rules across are whole seconds and move with the paper. A gap lifts the pen:
 * nothing is drawn over what was not measured, and a dashed rule marks the place.
 *
 * Rules
 *   1. Without a graphics card, stroking curves costs more than everything else on the page. So the picture moves with
 *      the paper, by whole pixels, and only the new strip is stroked. The whole picture is redrawn only when the scale,
 *      the size or the colours change.
 *   2. The newest slice may still grow, so each strip begins with the slice that was the newest in the strip before.
 *   3. The scale stays as long as the values fit and fill half of it.
 */

import { COLUMN_S, COUNT, Columns } from "./columns.js";

const GUTTER_PX = 38; // room for the scale's figures at the left edge: "−2000" in the style sheet's size
const PEN_PX = 7; // room for the pen's point at the right edge, which does not move with the paper
const CURVE_PX = 1.5;
const MARGIN_PX = 7; // above and below the curve
const DIVISIONS = 4; // of the scale, from bottom to top
const STEPS = [1, 2, 2.5, 5, 10]; // what people can divide by in their heads

/** The scale for values between `least` and `greatest`: { low, high } on round numbers, at least `span` apart. */
export function scale(least, greatest, span) {
  const middle = (least + greatest) / 2;
  const wanted = Math.max(greatest - least, span);
  let rough = wanted / DIVISIONS;
  for (;;) {
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * STEPS.find((s) => s >= (rough / power) * 0.999999);
    const low = step * Math.round(middle / step - DIVISIONS / 2);
    const high = low + step * DIVISIONS;
    if (low <= least && greatest <= high) return { low, high };
    rough = step * 1.01; // rounding moved the middle too far: the next coarser step
  }
}

/** `present` if it still does for values between `least` and `greatest`, else a new scale. */
export function fitted(present, least, greatest, span) {
  const wanted = scale(least, greatest, span);
  const fits = present !== null && present.low <= least && greatest <= present.high;
  return fits && wanted.high - wanted.low > (present.high - present.low) / 2 ? present : wanted;
}

export class Trace {
  #canvas;
  #paper;
  #columns = new Columns();
  #span;
  #decimals;
  #ink = {};
  #width = 0; // these four in pixels of the screen
  #height = 0;
  #left = 0; // of the curve; to the left of it are the scale's figures
  #right = 0; // likewise; to the right of it is the pen's point
  #ratio = 1;
  #range = null; // the scale that the picture has
  #drawn = NaN; // the newest slice in the picture; NaN: redraw all of it

  /** Draws on `canvas`. `span` is the least difference between top and bottom of the scale, so that noise
   *  at rest looks like rest; `decimals` those of the scale's figures. */
  constructor(canvas, { span, decimals }) {
    this.#canvas = canvas;
    this.#paper = canvas.getContext("2d", { alpha: false }); // opaque: moving it is a mere copy
    this.#span = span;
    this.#decimals = decimals;
  }

  add(t_s, value, broken) {
    this.#columns.add(t_s, value, broken);
  }

  clear() {
    this.#columns.clear();
    this.#drawn = NaN;
  }

  /** Puts the columns of the past before what was added: see Columns.precede. */
  precede(past, joined) {
    this.#columns.precede(past, joined);
    this.#drawn = NaN;
  }

  /** Takes size and colours from the style sheet: call it after a change of layout, theme or pixel ratio. */
  restyle() {
    const style = getComputedStyle(this.#canvas);
    const ratio = window.devicePixelRatio || 1;
    this.#ink = {
      curve: style.color,
      paper: style.getPropertyValue("--paper"),
      rule: style.getPropertyValue("--rule"),
      figure: style.getPropertyValue("--muted"),
      gap: style.getPropertyValue("--alarm"),
      font: `${Number.parseFloat(style.fontSize) * ratio}px ${style.fontFamily}`,
    };
    this.#ratio = ratio;
    this.#width = this.#canvas.width = Math.round(this.#canvas.clientWidth * ratio);
    this.#height = this.#canvas.height = Math.round(this.#canvas.clientHeight * ratio);
    this.#left = Math.round(GUTTER_PX * ratio);
    this.#right = this.#width - Math.round(PEN_PX * ratio);
    this.#drawn = NaN;
  }

  draw() {
    const { least, greatest } = this.#columns.extremes();
    const range = least > greatest ? null : fitted(this.#range, least, greatest, this.#span);
    const moved = this.#at(this.#columns.newest) - this.#at(this.#drawn);
    const goesOn = range === this.#range && moved < this.#right - this.#left; // false for NaN
    this.#range = range;
    if (goesOn) this.#drawStrip(moved);
    else this.#drawAll();
    this.#drawPen();
    this.#drawn = this.#columns.newest;
  }

  /** Where on an endless paper a slice is, in whole pixels: so that pictures drawn at different times fit together. */
  #at(number) {
    return Math.round((number * (this.#right - this.#left)) / COUNT);
  }

  #x(number) {
    return this.#right - 0.5 - (this.#at(this.#columns.newest) - this.#at(number));
  }

  #y(value) {
    const margin = MARGIN_PX * this.#ratio;
    const { low, high } = this.#range;
    return this.#height - margin - ((value - low) / (high - low)) * (this.#height - 2 * margin);
  }

  #drawAll() {
    const paper = this.#paper;
    paper.fillStyle = this.#ink.paper;
    paper.fillRect(0, 0, this.#left, this.#height);
    if (this.#range !== null) this.#drawFigures();
    this.#drawFrom(this.#left);
  }

  #drawStrip(moved) {
    const [left, width, height] = [this.#left, this.#right - this.#left - moved, this.#height];
    if (moved > 0) this.#paper.drawImage(this.#canvas, left + moved, 0, width, height, left, 0, width, height);
    this.#drawFrom(Math.max(left, Math.floor(this.#x(this.#drawn) - CURVE_PX * this.#ratio)));
  }

  /** Draws all that is right of the pixel `left`, but the pen. */
  #drawFrom(left) {
    const paper = this.#paper;
    paper.fillStyle = this.#ink.paper;
    paper.fillRect(left, 0, this.#width - left, this.#height);
    this.#drawRules(left);
    if (this.#range === null) return;
    paper.save();
    paper.beginPath();
    paper.rect(left, 0, this.#right - left, this.#height);
    paper.clip();
    this.#drawCurve(this.#firstOf(left));
    paper.restore();
  }

  /** The slice to begin with, so that all the ink right of the pixel `left` is drawn: where a line comes in from the
   *  left, the one that it comes from. */
  #firstOf(left) {
    let number = this.#columns.newest;
    while (this.#x(number) >= left - CURVE_PX * this.#ratio) {
      const before = this.#columns.before(number);
      if (Number.isNaN(before)) break;
      number = before;
    }
    return number;
  }

  #drawRules(left) {
    const paper = this.#paper;
    const thick = Math.max(1, Math.round(this.#ratio));
    const margin = MARGIN_PX * this.#ratio;
    paper.fillStyle = this.#ink.rule;
    for (let i = 0; i <= DIVISIONS; i += 1) {
      const level = Math.round(margin + (i * (this.#height - 2 * margin)) / DIVISIONS);
      paper.fillRect(left, level, this.#width - left, thick);
    }
    const perSecond = Math.round(1 / COLUMN_S);
    const newest = this.#columns.newest || 0;
    for (let number = newest - (newest % perSecond); number > newest - COUNT; number -= perSecond) {
      const second = this.#right - 1 - (this.#at(newest) - this.#at(number));
      if (second + thick <= left) break;
      const begin = Math.max(left, second); // what is left of it has its curve already
      paper.fillRect(begin, 0, second + thick - begin, this.#height);
    }
  }

  #drawCurve(from) {
    const paper = this.#paper;
    const gaps = new Path2D();
    const curve = new Path2D();
    const newest = this.#columns.newest;
    let down = false;
    this.#columns.each((age, first, least, greatest, last, broken) => {
      const x = this.#x(newest - age);
      if (broken) {
        gaps.moveTo(x, 0);
        gaps.lineTo(x, this.#height);
      }
      if (broken || !down) curve.moveTo(x, this.#y(first));
      curve.lineTo(x, this.#y(first)); // also after a move: a lone sample shows as a dot
      if (greatest > least) {
        curve.lineTo(x, this.#y(least));
        curve.lineTo(x, this.#y(greatest));
        curve.lineTo(x, this.#y(last));
      }
      down = true;
    }, from);
    paper.lineWidth = this.#ratio;
    paper.strokeStyle = this.#ink.gap;
    paper.setLineDash([3 * this.#ratio, 3 * this.#ratio]);
    paper.stroke(gaps);
    paper.setLineDash([]);

    paper.strokeStyle = this.#ink.curve;
    paper.lineWidth = CURVE_PX * this.#ratio;
    paper.lineJoin = paper.lineCap = "round";
    paper.stroke(curve);
  }

  #drawPen() {
    if (this.#range === null) return;
    const radius = 3 * this.#ratio;
    this.#columns.each((_age, _first, _least, _greatest, last) => {
      this.#paper.fillStyle = this.#ink.curve;
      this.#paper.beginPath();
      this.#paper.arc(this.#right + radius, this.#y(last), radius, 0, 2 * Math.PI);
      this.#paper.fill();
    }, this.#columns.newest);
  }

  #drawFigures() {
    const paper = this.#paper;
    const ratio = this.#ratio;
    paper.font = this.#ink.font;
    paper.fillStyle = this.#ink.figure;
    paper.textAlign = "right";
    paper.textBaseline = "middle";
    const right = this.#left - 6 * ratio;
    paper.fillText(figure(this.#range.high, this.#decimals), right, (MARGIN_PX + 1) * ratio);
    paper.fillText(figure(this.#range.low, this.#decimals), right, this.#height - MARGIN_PX * ratio);
  }
}

function figure(value, decimals) {
  return value.toFixed(decimals).replace("-", "\u2212");
}
