/* Marks: moments with a text, kept in this browser. What other tabs wrote is read before each change, so that they do not
 * overwrite each other. */

export const KEY = "trio-mpu.marks";
export const MAX_MARKS = 1000; // with their texts a tenth of what browsers keep for a page
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

  add(wall_s, text) {
    this.reload();
    if (this.all.length < MAX_MARKS) this.#set([...this.all, { wall_s, text: tidy(text) }]);
    else this.note = `${MAX_MARKS} marks are the most that are kept: remove some first.`;
  }

  /** Changes nothing if another tab has removed the mark. */
  edit(mark, text) {
    this.reload();
    if (!this.all.includes(mark)) return;
    mark.text = tidy(text);
    this.#set(this.all);
  }

  remove(mark) {
    this.reload();
    this.#set(this.all.filter((each) => each !== mark));
  }

  /** Takes what the storage holds, unless only this page has the marks. */
  reload() {
    if (!this.#isKept) return;
    this.#try((storage) => {
      const { marks, leftOut } = parse(storage.getItem(KEY) ?? "[]");
      const known = new Map(this.all.map((mark) => [JSON.stringify(mark), mark]));
      this.all = [...new Set(marks.map((mark) => known.get(JSON.stringify(mark)) ?? mark))];
      return leftOut && `${leftOut} of the marks kept in this browser can't be read and are left out.`;
    });
  }

  #set(marks) {
    this.all = marks.sort((a, b) => a.wall_s - b.wall_s);
    this.#try((storage) => storage.setItem(KEY, JSON.stringify(marks)));
  }

  #try(act) {
    this.version += 1;
    try {
      this.note = act(this.#open()) || "";
      this.#isKept = true;
    } catch {
      this.note = "This browser keeps no marks (its storage is off or full): these end with this page.";
      this.#isKept = false;
    }
  }
}

function parse(text) {
  try {
    const found = JSON.parse(text);
    const marks = found.filter((mark) => Number.isFinite(mark?.wall_s) && typeof mark.text === "string").slice(-MAX_MARKS);
    return { marks: marks.map(({ wall_s, text: t }) => ({ wall_s, text: tidy(t) })), leftOut: found.length - marks.length };
  } catch {
    return { marks: [], leftOut: "All" };
  }
}

/** In one line, and not longer than is kept. */
function tidy(text) {
  return text.replace(/\s+/g, " ").trim().slice(0, MAX_TEXT);
}
