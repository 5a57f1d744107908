/* Marks: the key m or the button makes one, the list shows, edits and removes them. */

import { KEY, MAX_TEXT } from "../model/marks.js";
import { onKey } from "./keys.js";
import { button, make, show } from "./elements.js";

export class MarksView {
  #page;
  #list = document.getElementById("marks-list");
  #items = new Map(); // by mark
  #painted = -1;

  constructor(page) {
    this.#page = page;
    document.getElementById("mark-add").onclick = () => this.#add();
    onKey("m", () => this.#add());
    addEventListener("storage", ({ key }) => {
      if (key === KEY || key === null) page.marks.reload();
      page.wake();
    });
  }

  paint() {
    const { marks } = this.#page;
    show("marks-note", marks.note);
    if (marks.version === this.#painted) return;
    this.#painted = marks.version;
    show("marks-count", String(marks.all.length || "none"));
    const items = new Map([...marks.all].reverse().map((mark) => [mark, this.#items.get(mark) ?? this.#item(mark)]));
    for (const [mark, item] of this.#items) if (!items.has(mark)) item.remove();
    this.#items = items;
    // Only what is new is put in: an item that is moved loses the focus.
    [...items.values()].forEach((item, i) => {
      if (this.#list.children[i] !== item) this.#list.insertBefore(item, this.#list.children[i]);
    });
  }

  /** At the newest sample; in a window that stands, at the plots' cursor, or in its middle. */
  #add() {
    const { marks, range, series, timeline, views } = this.#page;
    const middle_s = (range.from_s + range.to_s) / 2;
    const t_s = range.live ? series.newest_s : views.plots.cursor_s || middle_s; // NaN: there is no cursor
    if (Number.isNaN(t_s)) return;
    const numbers = marks.all.map(({ text }) => Number(/^Mark (\d+)$/.exec(text)?.[1] ?? 0));
    marks.add(timeline.wall_s(t_s), `Mark ${Math.max(0, ...numbers) + 1}`);
    this.#page.wake();
  }

  #item(mark) {
    const { marks, range, timeline } = this.#page;
    const when = timeOf(mark.wall_s);
    const act = (call) => () => {
      call();
      this.#page.wake();
    };
    const jump = act(() => {
      const t_s = timeline.t_s(mark.wall_s);
      range.show(t_s - range.span_s / 2, t_s + range.span_s / 2);
    });
    const edit = act(() => {
      marks.edit(mark, text.value);
      text.value = mark.text;
    });
    const remove = act(() => {
      (item.nextElementSibling ?? item.previousElementSibling)?.lastElementChild.focus();
      marks.remove(mark);
    });
    const text = make("input", { value: mark.text, maxLength: MAX_TEXT, ariaLabel: `Text of the mark at ${when}`, onchange: edit });
    const item = make("li", {}, button(`Show ${when}`, jump, when), text, button(`Remove the mark at ${when}`, remove, "×"));
    return item;
  }
}

/** "14:03:22.5", with the date unless it is today's. */
function timeOf(wall_s) {
  const date = new Date(wall_s * 1000);
  const day = date.toDateString() === new Date().toDateString() ? "" : `${date.toLocaleDateString("en-CA")} `;
  return `${day}${date.toLocaleTimeString("en-GB")}.${Math.floor((wall_s * 10) % 10)}`;
}
