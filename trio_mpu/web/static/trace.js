/* A trace: one axis on its strip of chart paper.
 *
 * The right edge is the newest sample, the rules across are whole seconds and move with the paper. A gap lifts the pen:
 * nothing is drawn over what was not measured, and a dashed rule marks the place.
 */

import { COLUMN_S, COUNT, Columns } from "./columns.js";

const GUTTER_PX = 38; // room for the scale's figures at the left edge: "−2000" in the style sheet's size
const PEN_PX = 7; // room for the pen's point at the right edge
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

export class Trace {
  #canvas;
  #paper;
  #columns = new Columns();
  #span;
  #decimals;
  #ink = {};
  #size = { width: 0, height: 0, ratio: 1 };

  /** Draws on `canvas`. `span` is the least difference between top and bottom of the scale, so that noise
   *  at rest looks like rest; `decimals` those of the scale's figures. */
  constructor(canvas, { span, decimals }) {
    this.#canvas = canvas;
    this.#paper = canvas.getContext("2d");
    this.#span = span;
    this.#decimals = decimals;
  }

  add(t_s, value, broken) {
    this.#columns.add(t_s, value, broken);
  }

  clear() {
    this.#columns.clear();
  }

  /** Takes size and colours from the style sheet: call it after a change of layout, theme or pixel ratio. */
  restyle() {
    const style = getComputedStyle(this.#canvas);
    this.#ink = {
      curve: style.color,
      rule: style.getPropertyValue("--rule"),
      figure: style.getPropertyValue("--muted"),
      gap: style.getPropertyValue("--alarm"),
      font: `${style.fontSize} ${style.fontFamily}`,
    };
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = window.devicePixelRatio || 1;
    this.#size = { width, height, ratio };
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
  }

  draw() {
    const paper = this.#paper;
    const { width, height, ratio } = this.#size;
    paper.setTransform(ratio, 0, 0, ratio, 0, 0);
    paper.clearRect(0, 0, width, height);

    let least = Infinity;
    let greatest = -Infinity;
    this.#columns.each((_age, _first, low, high) => {
      least = Math.min(least, low);
      greatest = Math.max(greatest, high);
    });
    const empty = least > greatest;
    const range = empty ? { low: 0, high: 0 } : scale(least, greatest, this.#span);
    const y = (value) => height - MARGIN_PX - ((value - range.low) / (range.high - range.low)) * (height - 2 * MARGIN_PX);
    const x = (age) => width - PEN_PX - (age * (width - PEN_PX - GUTTER_PX)) / COUNT;

    this.#drawRules(x);
    if (empty) return;
    this.#drawCurve(x, y);
    this.#drawFigures(range);
  }

  #drawRules(x) {
    const paper = this.#paper;
    const { width, height } = this.#size;
    paper.strokeStyle = this.#ink.rule;
    paper.lineWidth = 1;
    paper.beginPath();
    for (let i = 0; i <= DIVISIONS; i += 1) {
      const level = Math.round(MARGIN_PX + (i * (height - 2 * MARGIN_PX)) / DIVISIONS) + 0.5;
      paper.moveTo(GUTTER_PX, level);
      paper.lineTo(width, level);
    }
    const perSecond = Math.round(1 / COLUMN_S);
    const sinceSecond = (this.#columns.newest || 0) % perSecond;
    for (let age = sinceSecond; age <= COUNT; age += perSecond) {
      const second = Math.round(x(age)) + 0.5;
      paper.moveTo(second, 0);
      paper.lineTo(second, height);
    }
    paper.stroke();
  }

  #drawCurve(x, y) {
    const paper = this.#paper;
    const { height } = this.#size;
    const gaps = new Path2D();
    const curve = new Path2D();
    let down = false;
    let end = 0;
    this.#columns.each((age, first, least, greatest, last, broken) => {
      const at = x(age);
      if (broken) {
        gaps.moveTo(at, 0);
        gaps.lineTo(at, height);
      }
      if (broken || !down) curve.moveTo(at, y(first));
      curve.lineTo(at, y(first)); // also after a move: a lone sample shows as a dot
      if (greatest > least) {
        curve.lineTo(at, y(least));
        curve.lineTo(at, y(greatest));
        curve.lineTo(at, y(last));
      }
      down = true;
      end = last;
    });
    paper.strokeStyle = this.#ink.gap;
    paper.setLineDash([3, 3]);
    paper.stroke(gaps);
    paper.setLineDash([]);

    paper.strokeStyle = paper.fillStyle = this.#ink.curve;
    paper.lineWidth = 1.5;
    paper.lineJoin = paper.lineCap = "round";
    paper.stroke(curve);
    paper.beginPath();
    paper.arc(x(0), y(end), 3, 0, 2 * Math.PI);
    paper.fill();
  }

  #drawFigures({ low, high }) {
    const paper = this.#paper;
    paper.font = this.#ink.font;
    paper.fillStyle = this.#ink.figure;
    paper.textAlign = "right";
    paper.textBaseline = "middle";
    paper.fillText(figure(high, this.#decimals), GUTTER_PX - 6, MARGIN_PX + 1);
    paper.fillText(figure(low, this.#decimals), GUTTER_PX - 6, this.#size.height - MARGIN_PX);
  }
}

function figure(value, decimals) {
  return value.toFixed(decimals).replace("-", "\u2212");
}
