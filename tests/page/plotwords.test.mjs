import assert from "node:assert/strict";
import test from "node:test";

import { Timeline } from "../../trio_mpu/web/static/model/timeline.js";
import { gapWords, reading, readingWords, spanWords, spoken, timeWords } from "../../trio_mpu/web/static/view/plotwords.js";

const timeline = new Timeline();
timeline.note({ time: 50_000, t_ns: 0 });
const ACCELERATION = { title: "Acceleration", unit: "g", decimals: 3, axes: [{ key: "ax", letter: "x" }, { key: "ay", letter: "y" }] };

test("spans are written in the largest unit of which there is one", () => {
  const words = [0.0123, 1, 1.23456, -0.5, 60, 300, 5400, 86400, 2592000, Infinity].map(spanWords);
  assert.deepEqual(words, ["12.3 ms", "1 s", "1.235 s", "−500 ms", "1 min", "5 min", "1.5 h", "1 d", "30 d", "all"]);
});

test("times have milliseconds, and before the first sample nothing", () => {
  assert.equal(timeWords(50_000.25), "13:53:20.250");
  assert.equal(timeWords(NaN), "");
});

test("a gap says when, how much and why", () => {
  const gap = { t_s: 5, before_s: 4, reason: "device", lost: 3, from: 9, to: 10 };
  assert.equal(gapWords(gap, timeline), "13:53:25: 3 readings lost, device: the sensor did not deliver them, or the producer was held up");
  assert.equal(gapWords({ t_s: 5, before_s: 4, reason: "", lost: 3, from: null, to: null }, timeline), "13:53:25: 3 readings lost");
  assert.equal(gapWords({ ...gap, lost: null, reason: "new here" }, timeline), "13:53:25: an unknown number of readings lost, new here");
});

test("a cursor reads the closest bin within its reach", () => {
  const series = {
    each(_axis, _from_s, _to_s, _count, visit) {
      visit(1, 2, 0, -1, 1, 0, 0.1, 5, 0);
      visit(2, 3, 0, -2, 2, 0, 0.2, 1, 0);
      visit(3, 4, 0, NaN, NaN, 0, NaN, 1, 0);
    },
  };
  assert.equal(reading(series, "ax", 1.6, 1, 10).mean, 0.1);
  assert.equal(reading(series, "ax", 3.4, 1, 10).mean, 0.2);
  assert.equal(reading(series, "ax", 9, 1, 10), null);
});

test("a reading has its extremes when it is a mean, and the difference to the pinned one", () => {
  const found = { mean: 0.5, least: 0.25, greatest: 0.75, n: 20 };
  assert.deepEqual(readingWords(found, { mean: 0.75 }, 3), ["+0.500", "+0.250…+0.750", "Δ −0.250"]);
  assert.deepEqual(readingWords({ ...found, n: 1 }, null, 1), ["+0.5", "", ""]);
  assert.deepEqual(readingWords(null, null, 3), ["–", "", ""]);
});

test("a plot is described in words", () => {
  const series = { statistics: (key) => (key === "ax" ? { mean: 0.01, least: -0.02, greatest: 0.03 } : null) };
  const range = { live: true, from_s: 0, to_s: 10, span_s: 10 };
  assert.equal(spoken(ACCELERATION, series, range, timeline), "Acceleration, last 10 s: x mean 0.010 g, between −0.020 and 0.030; y nothing");
  assert.equal(spoken({ ...ACCELERATION, axes: [] }, series, { ...range, live: false }, timeline), "Acceleration, 10 s up to 13:53:30.000: no axis shown");
});
