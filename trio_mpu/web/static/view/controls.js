/* Controls tied to the settings, made from a table { name: [label, default, choices] }, a box to tick where there are no choices; and
 * sections that a button opens. */

const byId = (id) => document.getElementById(id);

export function defaultsOf(table) {
  return Object.fromEntries(Object.entries(table).map(([name, [, value]]) => [name, value]));
}

/** Fills the element `parent`; onChange() is called after each change. */
export function addControls(parent, settings, table, onChange) {
  for (const [name, [text, value, choices]] of Object.entries(table)) {
    const control = document.createElement(choices ? "select" : "input");
    const label = document.createElement("label");
    const property = choices ? "value" : "checked";
    if (choices) control.append(...choices.map((choice) => new Option(choice || "auto", choice)));
    else control.type = "checkbox";
    control.id = name;
    control[property] = settings.get(name);
    label.append(...(choices ? [text, control] : [control, text]));
    byId(parent).append(label);
    control.addEventListener("change", () => settings.set(name, typeof value === "number" ? Number(control.value) : control[property]));
    settings.on(name, (chosen) => onChange((control[property] = chosen)));
  }
}

/** Ties the box NAME-fixed to the setting NAME-scale, "low..high" or "". Gives a function: [low, high] or null. */
export function fixable(name, settings, limits, onChange) {
  const box = byId(`${name}-fixed`);
  const scale = `${name}-scale`;
  const show = () => (box.checked = settings.get(scale) !== "");
  show();
  settings.on(scale, () => onChange(show()));
  box.addEventListener("change", () => settings.set(scale, box.checked ? (limits() ?? []).join("..") : ""));
  return () => {
    const [low, high] = settings.get(scale).split("..").map(Number);
    return low < high ? [low, high] : null;
  };
}

/** Ties NAME-body and the button NAME-on to the setting NAME. Gives a function: whether it is open and in sight. onChange() is
 *  called when that has changed, its size, or the colours. */
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
