/* Showing: text into an element, by id, only when it differs (an unchanged page costs no layout). As text, never as
 * markup: the source's name comes from a device or a command line. */

export function show(id, text) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
}
