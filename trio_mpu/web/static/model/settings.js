/* The settings: what the user chose, as text in the address (#span=30&unit=db), so that a view can be sent to somebody.
 *
 * A value keeps the type of its default: number, boolean or string. What is not known, or is no value of that type, is
 * left out, so an address from another version does no harm. Defaults are not written. */

export class Settings {
  #defaults;
  #values = new Map();
  #calls = new Map();
  #onChange;

  /** `defaults`: the names and what they are without a choice. `text`: the part of the address after the "#".
   *  `onChange()` is called after each change. */
  constructor(defaults, text, onChange = () => {}) {
    this.#defaults = new Map(Object.entries(defaults));
    this.#onChange = onChange;
    this.#read(text);
  }

  #read(text) {
    this.#values.clear();
    for (const [name, written] of new URLSearchParams(text)) {
      const value = parsed(written, typeof this.#defaults.get(name));
      if (value !== undefined) this.#values.set(name, value);
    }
  }

  get(name) {
    return this.#values.get(name) ?? this.#defaults.get(name);
  }

  set(name, value) {
    if (this.get(name) === value) return;
    if (value === this.#defaults.get(name)) this.#values.delete(name);
    else this.#values.set(name, value);
    for (const call of this.#calls.get(name) ?? []) call(value);
    this.#onChange();
  }

  /** Calls call(value) whenever this setting changes. */
  on(name, call) {
    this.#calls.set(name, [...(this.#calls.get(name) ?? []), call]);
  }

  /** Takes another address, as when somebody edits it or goes back. */
  take(text) {
    const before = new Map([...this.#defaults.keys()].map((name) => [name, this.get(name)]));
    this.#read(text);
    for (const [name, value] of before) {
      if (this.get(name) !== value) for (const call of this.#calls.get(name) ?? []) call(this.get(name));
    }
  }

  get text() {
    return new URLSearchParams([...this.#values].map(([name, value]) => [name, written(value)])).toString();
  }
}

function parsed(text, type) {
  if (type === "string") return text;
  if (type === "boolean") return { 1: true, 0: false }[text];
  const number = Number(text);
  return type === "number" && text !== "" && !Number.isNaN(number) ? number : undefined;
}

function written(value) {
  return typeof value === "boolean" ? String(Number(value)) : String(value);
}
