/* Keys: single letters that do something, wherever the focus is, but not where letters are written. */

export function onKey(letter, act) {
  addEventListener("keydown", ({ key, repeat, ctrlKey, altKey, metaKey, target, defaultPrevented }) => {
    const isElsewhere = defaultPrevented || target.matches?.("input, select, textarea");
    if (key === letter && !(repeat || ctrlKey || altKey || metaKey || isElsewhere)) act();
  });
}
