/* Server-sent events: text as it comes → events.
 *
 * WHATWG HTML, section 9.2.6: lines end with CR LF, LF or CR; an empty line ends an event; a line that begins with a colon
 * is a comment. The page needs the fields `event` and `data`; an event without data is ignored.
 */

export class EventParser {
  #rest = "";

  /** Takes the next piece of the stream, cut wherever it may be. Gives its complete events, { name, data } each. */
  feed(text) {
    const held = this.#rest + text;
    // A CR at the end may be half of a CR LF: it waits for the next piece.
    const whole = held.endsWith("\r") ? held.slice(0, -1) : held;
    const blocks = whole.replaceAll(/\r\n?/g, "\n").split("\n\n");
    this.#rest = blocks.pop() + held.slice(whole.length);
    return blocks.map(eventOf).filter((event) => event.data !== "");
  }
}

function eventOf(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
  }
  return { name, data: data.join("\n") };
}
