import assert from "node:assert/strict";
import test from "node:test";

import { Latency } from "../../trio_mpu/web/static/model/latency.js";

const AHEAD_S = 5000; // the board's clock before the page's

/** An exchange at `at_ms` whose ways take so long. */
function exchange(latency, at_ms, there_ms, back_ms, ahead_s = AHEAD_S) {
  latency.exchange(at_ms, at_ms + there_ms + back_ms, (at_ms + there_ms) / 1000 + ahead_s);
}

/** Samples painted `age_ms` after they were taken. */
function paint(latency, from_ms, age_ms, count = 31) {
  for (let i = 0; i < count; i += 1) {
    const now_ms = from_ms + 50 * i;
    latency.painted((now_ms - age_ms) / 1000 + AHEAD_S, now_ms);
  }
}

test("nothing is said before both clocks and samples are known", () => {
  const latency = new Latency();
  paint(latency, 0, 12);
  assert.equal(latency.estimate(0), null);
  exchange(latency, 0, 2, 2);
  assert.equal(latency.estimate(10), null);
  paint(latency, 10, 12);
  assert.notEqual(latency.estimate(10), null);
});

test("the latency is that of the samples, whatever the clocks say", () => {
  const latency = new Latency();
  exchange(latency, 0, 3, 3);
  paint(latency, 10, 12);
  const { latency_s, error_s, exchanges } = latency.estimate(10);
  assert.ok(Math.abs(latency_s - 0.012) < 1e-6);
  assert.ok(Math.abs(error_s - 0.003) < 1e-5);
  assert.equal(exchanges, 1);
});

test("ways of different length are within the error that is shown", () => {
  for (const [there_ms, back_ms] of [[1, 9], [9, 1], [0, 80], [80, 0]]) {
    const latency = new Latency();
    exchange(latency, 0, there_ms, back_ms);
    paint(latency, 100, 20);
    const { latency_s, error_s } = latency.estimate(100);
    assert.ok(Math.abs(latency_s - 0.02) <= error_s + 1e-9);
  }
});

test("of several exchanges the quickest counts, until the clocks may have drifted apart", () => {
  const latency = new Latency();
  exchange(latency, 0, 100, 0);
  exchange(latency, 5000, 1, 1);
  exchange(latency, 10_000, 40, 0);
  paint(latency, 10_100, 12, 1);
  const soon = latency.estimate(10_100);
  assert.ok(Math.abs(soon.latency_s - 0.012) < 0.0005);
  assert.ok(soon.error_s < 0.002);
  for (let i = 0; i < 8; i += 1) exchange(latency, 15_000 + 5000 * i, 20, 20);
  assert.ok(latency.estimate(50_100).error_s > 0.02); // the quick one is forgotten
});

test("a clock that began anew, or stood still, is noticed", () => {
  const latency = new Latency();
  exchange(latency, 0, 1, 1);
  paint(latency, 10, 12);
  exchange(latency, 5000, 1, 1, 17);
  assert.equal(latency.estimate(5010), null);
  latency.painted(17 + 5.01 - 0.03, 5010);
  assert.ok(Math.abs(latency.estimate(5010).latency_s - 0.03) < 1e-6);
});

test("one late painting among many does not move the figure", () => {
  const latency = new Latency();
  exchange(latency, 0, 1, 1);
  paint(latency, 10, 12);
  paint(latency, 2000, 900, 10);
  assert.ok(Math.abs(latency.estimate(2500).latency_s - 0.012) < 1e-4);
});
