/* Marks: moments with a text, kept in this browser.
 *
 * Rules
 *   1. They work without a storage too: `note` says then that they end with the page.
 *   2. What other tabs have written is read before each change, so that tabs do not overwrite each other.
 *   3. At most MAX_MARKS, with texts of at most MAX_TEXT characters: a tenth of what browsers let a page keep.
 */

export const KEY = "trio-mpu.marks";
export const MAX_MARKS = 1000;
export const MAX_TEXT = 200;

export class Marks {
  #open;
  #isKept = true;

  /** [{ wall_s, text }], oldest first. An unchanged mark stays the same object. */
  all = [];
  version = 0;
  /** What the user must know, in one line, or "". */
  note = "";

  /** `open()` gives the storage (getItem, setItem), or throws. */
  constructor(open) {
    this.#open = open;
    this.reload();
  }

  /** The new mark, or null when there are too many. */
  add(wall_s, text) {
    const mark = { wall_s, text: tidy(text) };
    const done = this.#change(() => {
      if (this.all.length >= MAX_MARKS) return false;
      this.all.push(mark);
      return true;
    });
    if (!done) this.note = `${MAX_MARKS} marks are the most that are kept: remove some first.`;
    return done ? mark : null;
  }

  /** Both give false when another tab has removed the mark. */
  edit(mark, text) {
    return this.#change(() => {
      const found = this.all.includes(mark);
      if (found) mark.text = tidy(text);
      return found;
    });
  }

  remove(mark) {
    return this.#change(() => {
      const before = this.all.length;
      this.all = this.all.filter((each) => each !== mark);
      return this.all.length < before;
    });
  }

  /** Takes what the storage holds, unless only this page has the marks. */
  reload() {
    if (!this.#isKept) return;
    let kept = null;
    try {
      kept = this.#open().getItem(KEY);
    } catch {
      this.#tell(false);
      return;
    }
    const { marks, leftOut } = parse(kept ?? "[]");
    this.note = leftOut === 0 ? "" : `${leftOut} of the marks kept in this browser can't be read and are left out.`;
    const known = new Map(this.all.map((mark) => [JSON.stringify(mark), mark]));
    this.all = marks.map((mark) => known.get(JSON.stringify(mark)) ?? mark);
    this.version += 1;
  }

  #change(act) {
    this.reload();
    const done = act();
    if (!done) return false;
    this.all.sort((a, b) => a.wall_s - b.wall_s);
    this.version += 1;
    try {
      this.#open().setItem(KEY, JSON.stringify(this.all));
      this.#tell(true);
    } catch {
      this.#tell(false);
    }
    return true;
  }

  #tell(isKept) {
    this.#isKept = isKept;
    this.note = isKept ? "" : "This browser keeps no marks (its storage is off or full): these end with this page.";
  }
}

function parse(text) {
  let found = null;
  try {
    found = JSON.parse(text);
  } catch {
    // said below
  }
  if (!Array.isArray(found)) return { marks: [], leftOut: "All" };
  const marks = found.filter((mark) => Number.isFinite(mark?.wall_s) && typeof mark.text === "string").slice(-MAX_MARKS);
  return {
    marks: marks.map(({ wall_s, text }) => ({ wall_s, text: tidy(text) })).sort((a, b) => a.wall_s - b.wall_s),
    leftOut: found.length - marks.length,
  };
}

/** In one line, and not longer than is kept. */
function tidy(text) {
  return text.replace(/\s+/g, " ").trim().slice(0, MAX_TEXT);
}
