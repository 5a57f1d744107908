/* A panel: the plot of one quantity with a bar above it: a button for each axis with its reading at the cursor, what
 * special samples are on screen, and the choice of the scale. */

import { CLIPPED, CLOCK_STEP, REPEATED } from "../model/bins.js";
import { byHand } from "../model/scale.js";
import { button, choice, make, press, write } from "./elements.js";
import { Plot } from "./plot.js";
import { reading, readingWords, spoken } from "./plotwords.js";

const SPOKEN_MS = 5000; // the description changes no more often
const REACH_PX = 12; // a cursor reads what is so close
const NOTES = [[CLIPPED, "▀ clipped"], [REPEATED, "▄ repeated"], [CLOCK_STEP, "| clock step"]];

export class Panel {
  #page;
  #bar;
  #keys;
  #notes = make("p", { className: "plot-notes" });
  #absent = make("p", { className: "plot-absent", hidden: true });
  #spoken_ms = -Infinity;
  canvas = make("canvas", { tabIndex: 0, role: "img", "aria-describedby": "plots-help" });
  isSeen = true;

  constructor(page, quantity) {
    this.#page = page;
    this.quantity = quantity;
    this.plot = new Plot(this.canvas, quantity);
    this.chart = document.getElementById(`chart-${quantity.id}`);
    this.#keys = quantity.axes.map((axis) => this.#key(axis));
    const keys = this.#keys.map(({ element }) => element);
    this.#bar = make("div", { className: "plot-bar tools" }, ...keys, ...this.#scaleControls());
    this.chart.append(this.#bar, this.canvas, this.#notes, this.#absent);
  }

  #key({ key, letter, ink }) {
    const toggle = () => {
      const off = this.off;
      if (!off.delete(key)) off.add(key);
      this.#page.settings.set("off", [...off].join("."));
    };
    const onOff = button(`Show ${key}`, toggle, letter);
    const texts = ["reading", "extent", "delta"].map((className) => make("span", { className }));
    return { key, onOff, texts, element: make("div", { className: `plot-key ink-${ink}` }, onOff, ...texts) };
  }

  #scaleControls() {
    const { settings } = this.#page;
    const name = `scale-${this.quantity.id}`;
    const limits = ["Lowest value", "Highest value"].map((label) => make("input", { type: "number", step: "any", title: label, "aria-label": label }));
    const select = choice("Scale", [["auto", "automatic"], ["range", "full range"], ["hand", "by hand"]], (value) => {
      const { low, high } = this.plot.scale ?? { low: -1, high: 1 };
      settings.set(name, value === "hand" ? `${low}..${high}` : value);
    });
    const show = () => {
      const hand = byHand(settings.get(name));
      select.value = hand ? "hand" : settings.get(name) === "range" ? "range" : "auto";
      limits.forEach((limit, i) => Object.assign(limit, { hidden: !hand, value: hand ? [hand.low, hand.high][i] : "" }));
    };
    const take = ({ target }) => {
      const text = limits.map(({ value }) => value).join("..");
      limits.forEach((limit) => limit.setCustomValidity(byHand(text) ? "" : "The lowest value must be a number below the highest."));
      if (target.reportValidity()) settings.set(name, text);
    };
    for (const limit of limits) limit.onchange = take;
    settings.on(name, show);
    show();
    return [select, ...limits];
  }

  /** The axes that are hidden, of all quantities. */
  get off() {
    return new Set(this.#page.settings.get("off").split(".").filter(Boolean));
  }

  /** What the plot needs: `scene`, and this panel's own settings. */
  sceneOf(scene) {
    return { ...scene, off: this.off, scale: this.#page.settings.get(`scale-${this.quantity.id}`) };
  }

  paint(scene, now_ms) {
    const { series, timeline, from_s, span_s } = scene;
    if (!this.#isThere(scene)) return;
    const own = this.sceneOf(scene);
    this.plot.paint(own);
    for (const key of this.#keys) this.#paintKey(key, own);
    write(this.#notes, NOTES.filter(([flag]) => this.plot.seen(flag) >= scene.from_s).map(([, text]) => text).join("  "));
    if (now_ms - this.#spoken_ms < SPOKEN_MS) return;
    this.#spoken_ms = now_ms;
    const axes = this.quantity.axes.filter(({ key }) => !own.off.has(key));
    this.canvas.setAttribute("aria-label", spoken({ ...this.quantity, axes }, series, { live: this.#page.range.live, from_s, to_s: from_s + span_s, span_s }, timeline));
  }

  /** Whether there is anything to plot; says so if not. */
  #isThere({ series, from_s, span_s }) {
    const isThere = this.quantity.id !== "attitude" || this.#page.state.newest?.attitude !== undefined
      || series.extremes("roll", from_s, from_s + span_s).least < Infinity;
    write(this.#absent, isThere ? "" : "These samples have no attitude.");
    this.#absent.hidden = isThere;
    this.#bar.hidden = this.canvas.hidden = !isThere;
    return isThere;
  }

  #paintKey({ key, onOff, texts }, { series, off, cursor_s, pin_s, period_s }) {
    const isOn = !off.has(key);
    press(onOff, isOn);
    const reach_s = Math.max(REACH_PX * this.plot.pixel_s, 2 * (period_s || 0));
    const at = (t_s) => (Number.isNaN(t_s) ? null : reading(series, key, t_s, reach_s, reach_s / this.plot.pixel_s));
    const words = isOn && !Number.isNaN(cursor_s) ? readingWords(at(cursor_s), at(pin_s), this.quantity.decimals) : ["", "", ""];
    words.forEach((text, i) => write(texts[i], text));
  }
}
