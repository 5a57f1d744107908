import assert from "node:assert/strict";
import test from "node:test";

import { Past, pause_s, readPast } from "../../trio_mpu/web/static/past.js";
import { page } from "./browser.mjs";

const row = (seq, { generation = "0123456789abcdef", ...more } = {}) => ({ id: `${generation}-${seq}`, seq, t_ns: (100 + seq / 100) * 1e9, ax: seq, ...more });

function slices(columns) {
  const found = [];
  columns.each((age, first, least, greatest, last, broken) => found.push({ first, last, broken }));
  return found;
}

function past(until, ...rows) {
  const past = new Past(["ax"], row(until).id);
  for (const each of rows) past.take(each);
  return past;
}

test("rows before the stream's first sample are taken, and joined to it", () => {
  const found = past(13, ...[10, 11, 12, 13, 14].map((seq) => row(seq)));
  assert.equal(found.oldest, 10);
  assert.ok(found.joined);
  assert.equal(Math.max(...slices(found.columns[0]).map(({ last }) => last)), 12);
});

test("rows of another generation are not of this past", () => {
  const found = past(13, row(11, { generation: "fedcba9876543210" }));
  assert.equal(found.oldest, null);
  assert.ok(!found.joined);
});

test("the pen is lifted before a gap, a jump and a pause", () => {
  const late = { t_ns: row(12).t_ns + 5e9 };
  const breaks = (...rows) => slices(past(99, ...rows).columns[0]).filter(({ broken }) => broken).length;
  assert.equal(breaks(row(10), row(11), row(12)), 0);
  assert.equal(breaks(row(10), row(11), row(12, { gap: { lost: 3 } })), 1);
  assert.equal(breaks(row(10), row(11), row(19)), 1);
  assert.equal(breaks(row(10), row(11), row(12, late)), 1);
});

test("a pause is a second and five periods, and none while the rate is not known", () => {
  assert.deepEqual([pause_s(1000), pause_s(1), pause_s(null)], [1, 5, Infinity]);
});

test("what the server has of the window is read, however it is cut", async () => {
  page();
  const text = new TextEncoder().encode([10, 11, 12].map((seq) => `${JSON.stringify(row(seq))}\n`).join(""));
  for (const size of [1, 7, 1000]) {
    globalThis.fetch = async (url) => {
      assert.match(String(url), /^http:\/\/board:3737\/history\?.*seconds=10/);
      return new Response(new ReadableStream({
        start(controller) {
          for (let at = 0; at < text.length; at += size) controller.enqueue(text.slice(at, at + size));
          controller.close();
        },
      }));
    };
    const found = past(13);
    await readPast(found, new AbortController().signal);
    assert.equal(found.oldest, 10);
    assert.ok(found.joined);
  }
});

test("a refusal is a past without rows", async () => {
  page();
  globalThis.fetch = async () => new Response("", { status: 503 });
  const found = past(13);
  await readPast(found, new AbortController().signal);
  assert.equal(found.oldest, null);
});
