import assert from "node:assert/strict";
import test from "node:test";

import { curlOf, fileName, historyUrl, probe } from "../../trio_mpu/web/static/net/links.js";
import { response, server } from "./browser.mjs";

const BASE = "http://board:3737/";

test("an address has Unix times to the microsecond, and the window's end belongs to it", () => {
  assert.equal(historyUrl(BASE, { format: "csv", from_s: 1_764_000_000.123456, to_s: 1_764_000_010 }),
    "http://board:3737/history?format=csv&from=1764000000.123456&to=1764000010.000001");
});

test("a whole second has its decimals, and none is written as a power of ten", () => {
  const url = historyUrl(BASE, { format: "json", from_s: 0, to_s: 1e-7 });
  assert.ok(url.endsWith("from=0.000000&to=0.000001"));
});

test("below the path of a proxy the address is below it too", () => {
  const url = historyUrl("http://proxy/imu/", { format: "mcap", from_s: 1, to_s: 2 });
  assert.ok(url.startsWith("http://proxy/imu/history?format=mcap"));
});

test("the attitude comes along only when it is asked for", () => {
  const asked = { format: "ndjson", from_s: 1, to_s: 2 };
  assert.ok(historyUrl(BASE, { ...asked, attitude: true }).endsWith("&attitude=1"));
  assert.ok(!historyUrl(BASE, asked).includes("attitude"));
});

test("a command has address and name in quotes, and nothing that a shell replaces", () => {
  assert.equal(curlOf("http://board/a?b=1&c=2", "x.csv"), 'curl -f -o "x.csv" "http://board/a?b=1&c=2"');
  assert.equal(curlOf('http://board/$(x)`y`"\\', "x.csv"), 'curl -f -o "x.csv" "http://board/%24(x)%60y%60%22%5c"');
});

test("a file's name has the window's begin, its length and what it is", () => {
  assert.equal(fileName(Date.UTC(2026, 10, 30, 15, 43, 5, 999) / 1000, 10, "shown", "csv"),
    "trio-mpu_2026-11-30T15-43-05Z_10s_shown.csv");
  const spans = [0.25, 10.004, 99.96, 5400, 2.6e6].map((span_s) => fileName(0, span_s, "x", "y").split("_")[2]);
  assert.deepEqual(spans, ["0.25s", "10s", "100s", "5400s", "2600000s"]);
});

test("a window that reaches back beyond 1970 begins there: the server knows no earlier time", () => {
  assert.ok(historyUrl(BASE, { format: "csv", from_s: -5, to_s: 1 }).includes("from=0.000000&"));
});

test("the reason of a refusal is the server's own, or that it does not answer", async () => {
  server(() => response(409, { status: "error", reason: "it needs 2 samples" }));
  assert.deepEqual(await probe(BASE), { reason: "it needs 2 samples", leftOut: 0 });
  server(() => {
    throw new TypeError("Failed to fetch");
  });
  assert.deepEqual(await probe(BASE), { reason: "the server does not answer", leftOut: 0 });
});

test("a file that can be had is not read to find that out", async () => {
  let signal;
  server((_url, options) => {
    ({ signal } = options);
    return response(200, {}, { "Samples-Left-Out": "7" });
  });
  assert.deepEqual(await probe(BASE), { reason: "", leftOut: 7 });
  assert.ok(signal.aborted);
});
