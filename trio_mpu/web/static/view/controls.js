/* Controls tied to settings, from a table { name: [label, default, choices] }, a box to tick where there are no choices; and
 * sections that a button opens. */

import { make } from "./elements.js";

const byId = (id) => document.getElementById(id);

export const defaultsOf = (table) => Object.fromEntries(Object.entries(table).map(([name, [, value]]) => [name, value]));

/** Fills the element `parent`; onChange() is called after each change. */
export function addControls(parent, settings, table, onChange) {
  for (const [name, [text, value, choices]] of Object.entries(table)) {
    const property = choices ? "value" : "checked";
    const control = choices ? make("select", { id: name }, ...choices.map((choice) => new Option(choice || "auto", choice))) : make("input", { id: name, type: "checkbox" });
    control[property] = settings.get(name);
    byId(parent).append(make("label", {}, ...(choices ? [text, control] : [control, text])));
    control.addEventListener("change", () => settings.set(name, typeof value === "number" ? Number(control.value) : control[property]));
    settings.on(name, (chosen) => onChange((control[property] = chosen)));
  }
}

/** Ties the box NAME-fixed to the setting NAME-scale, "low..high" or "". Gives a function: [low, high] or null. */
export function fixable(name, settings, limits, onChange) {
  const box = byId(`${name}-fixed`);
  const text = () => settings.get(`${name}-scale`);
  box.checked = text() !== "";
  settings.on(`${name}-scale`, (scale) => onChange((box.checked = scale !== "")));
  box.addEventListener("change", () => settings.set(`${name}-scale`, box.checked ? (limits() ?? []).join("..") : ""));
  return () => {
    const [low, high] = text().split("..").map(Number);
    return low < high ? [low, high] : null;
  };
}

/** Ties NAME-body and the button NAME-on to the setting NAME. Gives a function: whether it is open and in sight. onChange() is called
 *  when that, its size, or the colours have changed. */
export function openable(name, settings, onChange) {
  const button = byId(`${name}-on`);
  const body = byId(`${name}-body`);
  let isInSight = false;
  const show = () => (body.hidden = !(button.ariaExpanded = settings.get(name)));
  show();
  settings.on(name, () => onChange(show()));
  button.addEventListener("click", () => settings.set(name, !settings.get(name)));
  new IntersectionObserver((entries) => onChange((isInSight = entries.at(-1).isIntersecting))).observe(body);
  new ResizeObserver(onChange).observe(body);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  return () => isInSight && settings.get(name);
}
