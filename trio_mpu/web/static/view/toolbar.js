/* The toolbar: the window of time, live or not, how the plots are laid out, and a line of text about the cursors. */

import { button, choice, make, press, write } from "./elements.js";
import { spanWords } from "./plotwords.js";

const SPANS = [[1], [5], [10], [30], [60], [300], [1800], [10800], [86400, "1 day"], [2592000, "1 month"], [Infinity]];
const HELP = "Arrow keys move in time, plus and minus zoom, Home and End show the oldest and the newest, Space pauses, "
  + "square brackets move a cursor, Enter pins it, M sets a mark, Escape removes the cursors.";

export class Toolbar {
  #live;
  #span;
  #note = make("p", { id: "plots-note" });

  /** `act(name, number)` does "toggle" and "zoom"; a window that was chosen is in the setting and in the range. */
  constructor({ range, settings, wake }, act) {
    this.#live = button("Pause, or go back to live", () => act("toggle"));
    this.#live.id = "plots-live";
    this.#span = choice("Window", [...SPANS.map(([s, text]) => [s, text ?? spanWords(s)]), ["other", ""]], (value) => {
      settings.set("span", Number(value));
      range.setSpan(Number(value)); // also when the setting is the same and the window was zoomed
      wake();
    });
    this.#span.lastChild.hidden = true;
    const apart = button("Axes apart, each in a strip of its own", () => settings.set("apart", !settings.get("apart")), "apart");
    const time = choice("Times", [["clock", "clock"], ["relative", "relative"]], (value) => settings.set("relative", value === "relative"));
    const show = () => {
      press(apart, document.body.classList.toggle("plots-apart", settings.get("apart")));
      time.value = settings.get("relative") ? "relative" : "clock";
    };
    settings.on("apart", show);
    settings.on("relative", show);
    show();
    const zooms = [["Zoom out", 2, "−"], ["Zoom in", 0.5, "+"]].map(([label, factor, text]) => button(label, () => act("zoom", factor), text));
    for (const zoom of zooms) zoom.className = "zoom";
    const help = make("p", { id: "plots-help", hidden: true }, HELP);
    document.getElementById("toolbar").append(this.#live, this.#span, ...zooms, time, apart, this.#note, help);
  }

  paint({ live, asked_s, span_s }, note) {
    write(this.#live, live ? "Pause" : "Live");
    this.#live.classList.toggle("away", !live);
    const [known] = SPANS.find(([s]) => s === asked_s || Math.abs(s - span_s) < s * 1e-6) ?? [];
    if (!known) write(this.#span.lastChild, spanWords(span_s));
    const value = String(known ?? "other");
    if (this.#span.value !== value) this.#span.value = value;
    write(this.#note, note);
  }
}
