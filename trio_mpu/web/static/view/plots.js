/* The plots: a panel for each quantity, with one window of time and one cursor for all of them.
 *
 * Rules
 *   1. What is not on screen, or has not changed, is not painted.
 *   2. Painting takes at most a third of the time: a slow machine paints less often, and is not late.
 *   3. Samples come in batches, but the paper runs evenly: live, the window goes by the page's clock, just behind them. */

import { Gestures } from "./gestures.js";
import { Panel } from "./panel.js";
import { png } from "./plotpng.js";
import { gapWords, spanWords, timeWords } from "./plotwords.js";
import { QUANTITIES } from "./quantities.js";
import { Toolbar } from "./toolbar.js";

export const SETTINGS = { off: "", apart: false, relative: false, ...Object.fromEntries(QUANTITIES.map(({ id }) => [`scale-${id}`, "auto"])) };

const FRAME_MS = 15; // less than a frame at 60 Hz
const MOST_MS = 250;
const SHARE = 3; // see rule 2
const STEADY_MS = 45; // between paintings while nothing runs evenly
const AFRESH_MS = 1000; // so soon is seen what came from the past
const GAPS_MS = 250; // and a gap
const GAP_PX = 5; // so close to a gap a cursor is in it
const TAP_PX = 20; // so close to a pinned cursor a finger means it
const EVEN_PX_S = 25; // a paper that runs slower looks even anyhow
const LAG_S = 0.05; // behind the newest sample on average: batches come each 0.04 s
const STRAY_S = 0.3; // of the paper from the samples, at most
const EMPTY_S = 10; // shown of "all" while there is nothing, arbitrary
const RARE_S = 0.1; // between samples: the paper goes by them, from one to the next

export class PlotsView {
  #page;
  #panels;
  #hover = NaN; // the pointer, as a share of the width
  #cursor_s = NaN;
  #pin_s = NaN;
  #selection = null;
  #zero_s = NaN; // of relative times: the newest sample, or what it was at the pause
  #all_s = 0; // "all" grows in steps, so that the curves need not be drawn anew each time
  #ahead_s = NaN; // the paper's clock, against the page's
  #runs = false; // evenly, see rule 3
  #gaps = [];
  #gaps_ms = -Infinity;
  #afresh_ms = -Infinity;
  #painted = ""; // what of the scene tells it from another, and its span:
  #span_s = NaN;
  #cost_ms = 0;
  #toolbar;
  #width_px = 1; // of a plot

  constructor(page) {
    this.#page = page;
    this.#toolbar = new Toolbar(page, (name, number) => this.#do(name, number));
    this.#panels = QUANTITIES.map((quantity) => new Panel(page, quantity));
    const act = {
      point: (share) => {
        this.#hover = share;
        this.#repaint();
      },
      pin: (t_s, isFinger) => {
        const isAgain = Math.abs(t_s - this.#pin_s) < TAP_PX * this.#pixel_s;
        // A finger does not hover: it sets the cursor, after that the second one, and takes both away at the first.
        if (isFinger && isAgain) this.#do("clear");
        else if (isFinger && Number.isNaN(this.#pin_s)) this.#pin_s = this.#cursor_s;
        else if (!isFinger) this.#pin_s = t_s;
        this.#cursor_s = isFinger && isAgain ? NaN : t_s;
        this.#repaint();
      },
      select: (a_s, b_s, done) => {
        this.#selection = done || a_s === b_s ? null : [a_s, b_s];
        if (done) page.range.show(Math.min(a_s, b_s), Math.max(a_s, b_s));
        this.#repaint();
      },
      key: (name, number) => this.#do(name, number),
      moved: () => page.wake(),
    };
    const of = (target) => this.#panels.find(({ chart, canvas }) => chart === target || canvas === target);
    const seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) of(target).isSeen = isIntersecting;
      this.#repaint();
    });
    const sized = new ResizeObserver((entries) => {
      for (const { target } of entries) of(target).plot.restyle();
      this.#width_px = this.#panels[0].canvas.clientWidth;
      this.#repaint();
      this.paint(performance.now()); // immediately: a canvas that was resized is blank
    });
    for (const { canvas, chart, plot } of this.#panels) {
      new Gestures(canvas, plot, page.range, act);
      seen.observe(chart);
      sized.observe(canvas);
    }
    const restyle = () => {
      for (const { plot } of this.#panels) plot.restyle();
      this.#repaint();
      this.paint(performance.now());
    };
    for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", restyle);
    for (const name of Object.keys(SETTINGS)) page.settings.on(name, () => this.#repaint());
  }

  /** Does what the user wants, by the names of gestures.js. */
  #do(name, number) {
    const { range, series, state } = this.#page;
    const at_s = Number.isNaN(this.#cursor_s) ? range.to_s : this.#cursor_s;
    const clear = () => (this.#hover = this.#cursor_s = this.#pin_s = NaN);
    ({
      pan: () => range.pan(number * range.span_s),
      zoom: () => range.zoom(number),
      oldest: () => range.show(series.oldest_s, series.oldest_s + range.span_s),
      toggle: () => (range.live ? range.pause() : range.resume()),
      pin: () => (this.#pin_s = at_s),
      clear,
      live: () => {
        range.resume();
        clear();
      },
      step: () => {
        this.#hover = NaN;
        const step_s = Math.max(this.#pixel_s, state.period_s || 0);
        this.#cursor_s = Math.min(range.to_s, Math.max(range.from_s, at_s + number * step_s));
      },
    })[name]();
    this.#repaint();
  }

  /** Something changed that the range does not know of. */
  #repaint() {
    this.#painted = "";
    this.#page.wake();
  }

  /** The length of a pixel. */
  get #pixel_s() {
    return this.#page.range.span_s / this.#width_px;
  }

  /** The cursor's time; NaN when there is none. */
  get cursor_s() {
    return this.#cursor_s;
  }

  get every_ms() {
    return Math.min(MOST_MS, Math.max(this.#runs ? FRAME_MS : STEADY_MS, SHARE * this.#cost_ms));
  }

  paint(now_ms) {
    const { range, series, marks } = this.#page;
    const begin_ms = performance.now();
    const late = now_ms - this.#afresh_ms > AFRESH_MS;
    const window = this.#window(now_ms);
    const fresh = !range.live || late || window.span_s !== this.#span_s;
    const painted = `${window.from_s} ${window.span_s} ${range.live} ${marks.version}`;
    if (this.#runs) this.#page.wake();
    if (painted === this.#painted && !late) return;
    this.#painted = painted;
    this.#span_s = window.span_s;
    if (fresh) this.#afresh_ms = now_ms;
    const scene = this.#scene(window, now_ms, fresh);
    this.#toolbar.paint(range, this.#note(scene));
    for (const panel of this.#panels) if (panel.isSeen) panel.paint(scene, now_ms);
    // What the browser then does to fill in what was drawn counts too.
    setTimeout(() => (this.#cost_ms += (performance.now() - begin_ms - this.#cost_ms) / 8));
  }

  /** The window to paint: the range's, but even (rule 3) and, when it has everything, growing in steps. */
  #window(now_ms) {
    let { live, to_s, span_s, asked_s } = this.#page.range;
    if (asked_s < Infinity) span_s = asked_s; // to the last digit: else all would be drawn anew
    if (Number.isNaN(to_s)) return { from_s: 0, span_s: span_s || EMPTY_S };
    this.#runs = false;
    if (live) {
      this.#zero_s = to_s;
      const ahead_s = to_s - now_ms / 1000 - LAG_S;
      const apart_s = ahead_s - this.#ahead_s;
      this.#ahead_s = Math.abs(apart_s) < STRAY_S ? this.#ahead_s + apart_s / 16 : ahead_s;
      this.#runs = apart_s > -STRAY_S && this.#width_px / span_s > EVEN_PX_S && !(this.#page.state.period_s > RARE_S);
      if (this.#runs) to_s = Math.min(to_s, now_ms / 1000 + this.#ahead_s);
      if (asked_s === Infinity) {
        if (span_s > this.#all_s || span_s < this.#all_s * 0.9) this.#all_s = span_s * 1.02;
        span_s = this.#all_s;
      }
    }
    return { from_s: to_s - span_s, span_s };
  }

  /** All that plots show: the window; gaps and marks; off (axes), apart, relative (to zero_s) and the scale as settings;
   *  cursors, NaN when there is none; `fresh`: the past may have changed. */
  #scene({ from_s, span_s }, now_ms, fresh) {
    const { series, timeline, marks, settings, state } = this.#page;
    if (fresh || now_ms - this.#gaps_ms > GAPS_MS) {
      this.#gaps = series.gaps(from_s, from_s + span_s + 1);
      this.#gaps_ms = now_ms;
    }
    if (!Number.isNaN(this.#hover)) this.#cursor_s = from_s + this.#hover * span_s;
    return {
      series, timeline, from_s, span_s, fresh, gaps: this.#gaps, marks: marks.all, apart: settings.get("apart"),
      relative: settings.get("relative"), zero_s: this.#zero_s, period_s: state.period_s, chip: state.device?.chip,
      cursor_s: this.#cursor_s, pin_s: this.#pin_s, selection: this.#selection,
    };
  }

  /** The cursors' times, and the gap that one is in. */
  #note({ gaps, timeline, cursor_s, pin_s }) {
    const reach_s = GAP_PX * this.#pixel_s;
    const gap = gaps.find(({ t_s, before_s }) => cursor_s > Math.min(t_s, before_s || t_s) - reach_s && cursor_s < t_s + reach_s);
    const words = [];
    if (!Number.isNaN(cursor_s)) words.push(timeWords(timeline.wall_s(cursor_s)));
    if (!Number.isNaN(pin_s) && cursor_s !== pin_s) words.push(`Δ ${spanWords(cursor_s - pin_s)}`);
    if (gap) words.push(gapWords(gap, timeline));
    return words.filter(Boolean).join(" · ");
  }

  /** The plot of a quantity ("acceleration", …) as it is on screen → Promise of a PNG as Blob. */
  plotPng(id) {
    const panel = this.#panels.find(({ quantity }) => quantity.id === id);
    const scene = this.#scene(this.#window(performance.now()), performance.now(), true);
    return png(panel.quantity, { ...panel.sceneOf(scene), cursor_s: NaN, pin_s: NaN, selection: null }, this.#page.state.newest);
  }
}
