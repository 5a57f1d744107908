import assert from "node:assert/strict";
import test from "node:test";

import { EventParser } from "../../trio_mpu/web/static/net/sse.js";

const STREAM = "retry: 1000\nid: a-1\ndata: {\"seq\":1}\n\n:\n\nevent: status\ndata: {\"status\":\"stale\"}\n\nid: a-2\ndata: x\ndata: y\n\n";
const EVENTS = [
  { name: "message", data: '{"seq":1}' },
  { name: "status", data: '{"status":"stale"}' },
  { name: "message", data: "x\ny" },
];

function parsed(...pieces) {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.feed(piece));
}

test("events are found, however the stream is cut and its lines end", () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    const text = STREAM.replaceAll("\n", end);
    // What ends with a CR may go on with a LF: the last event is complete with the next character.
    const more = end === "\r" ? ":" : "";
    assert.deepEqual(parsed(text + more), EVENTS, JSON.stringify(end));
    assert.deepEqual(parsed(...(text + more)), EVENTS, JSON.stringify(end));
    for (let cut = 0; cut <= text.length; cut += 1) assert.deepEqual(parsed(text.slice(0, cut), text.slice(cut) + more), EVENTS);
  }
});

test("comments, and events without data, are none", () => {
  assert.deepEqual(parsed(": hello\n\nevent: status\n\nid: 7\n\ndata\n\n\n\n"), []);
});

test("one space after the colon is not part of the data; a line without a colon is a field", () => {
  assert.deepEqual(parsed("data:  a: b\n\ndata:c\ndata\n\n"), [{ name: "message", data: " a: b" }, { name: "message", data: "c\n" }]);
});

test("an event that has no end yet is kept back", () => {
  assert.deepEqual(parsed("data: a\n\ndata: b\n"), [{ name: "message", data: "a" }]);
});
