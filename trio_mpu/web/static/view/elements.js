/* Elements: new ones with what they need, and changes of them. An unchanged page costs no layout. */

/** A new element; ARIA goes by attributes ("aria-label"), because browsers of 2022 have no properties for it. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function button(label, onclick, ...children) {
  return make("button", { type: "button", title: label, "aria-label": label, onclick }, ...children);
}

/** A select with `options`: [value, text]; `onchange(value)`. */
export function choice(label, options, onchange) {
  const select = make("select", { title: label, "aria-label": label });
  select.append(...options.map(([value, text]) => make("option", { value }, text)));
  select.onchange = () => onchange(select.value);
  return select;
}

/** Whether a button that stays down is down. */
export function press(element, isDown) {
  if (element.getAttribute("aria-pressed") !== String(isDown)) element.setAttribute("aria-pressed", isDown);
}

/** Writes only what differs. As text, never as markup: a source's name comes from a device or a command line. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The same, by the element's id. */
export function show(id, text) {
  write(document.getElementById(id), text);
}
