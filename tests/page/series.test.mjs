import assert from "node:assert/strict";
import test from "node:test";

import { CLIPPED, COUNT, LIFTED } from "../../trio_mpu/web/static/model/bins.js";
import { Point } from "../../trio_mpu/web/static/model/point.js";
import { Points } from "../../trio_mpu/web/static/model/points.js";
import { RawSamples } from "../../trio_mpu/web/static/model/raw.js";
import { Series } from "../../trio_mpu/web/static/model/series.js";
import { event, windowOf } from "./streams.mjs";

function series() {
  return new Series(new RawSamples());
}

/** Adds samples at `hz`, from `from_s` on; value(n) gives ax. */
function flow(into, { hz, from_s = 1000, count, value = (n) => n, begins = false }) {
  const point = new Point();
  for (let n = 0; n < count; n += 1) {
    point.take(event(n + 1, from_s + n / hz, { ax: value(n) }));
    into.add(from_s + n / hz, point, { begins: begins && n === 0 });
  }
}

function bins(from, axis, from_s, to_s, count) {
  const found = [];
  from.each(axis, from_s, to_s, count, (t0_s, t1_s, first, least, greatest, last, mean, n, flags) =>
    found.push({ t0_s, t1_s, first, least, greatest, last, mean, n, flags }));
  return found;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const near = (found, wanted, by = 1e-6) => assert.ok(Math.abs(found - wanted) <= by, `${found} is not ${wanted}`);

test("an empty series has nothing, and asks for all of it", () => {
  const empty = series();
  assert.ok(Number.isNaN(empty.newest_s));
  assert.deepEqual(bins(empty, "ax", 0, 10, 100), []);
  assert.equal(empty.statistics("ax", 0, 10), null);
  assert.deepEqual(empty.extremes("ax", 0, 10), { least: Infinity, greatest: -Infinity });
  assert.deepEqual(empty.missing(0, 10, 100), { from_s: 0, to_s: 10 });
});

test("at any width no sample is lost, and none is counted twice", () => {
  const full = series();
  flow(full, { hz: 100, count: 60_000 }); // ten minutes
  for (const span_s of [0.5, 5, 50, 500]) {
    const to_s = 1000 + 600;
    const found = bins(full, "ax", to_s - span_s, to_s, 250);
    near(sum(found.map(({ n }) => n)), span_s * 100, 100 * (found[0].t1_s - found[0].t0_s) + 1);
    assert.ok(found.every(({ t0_s }, i) => i === 0 || t0_s >= found[i - 1].t1_s - 1e-9));
  }
});

test("a spike of one sample is an extreme of its bin at every width", () => {
  const spiked = series();
  flow(spiked, { hz: 100, count: 360_000, value: (n) => (n === 250_000 ? 7 : 0) });
  for (const count of [1, 10, 100, 1000]) {
    assert.equal(Math.max(...bins(spiked, "ax", 1000, 4600, count).map(({ greatest }) => greatest)), 7);
  }
  assert.deepEqual(spiked.extremes("ax", 1000, 4600), { least: 0, greatest: 7 });
});

test("bins are as wide as wanted, within a step of four", () => {
  const full = series();
  flow(full, { hz: 50, count: 50 * 3600 });
  for (const span_s of [30, 300, 3000]) {
    const found = bins(full, "ax", 4600 - span_s, 4600, 500);
    assert.ok(found.length >= 400 && found.length <= 4 * 500 + 2, `${found.length} bins of ${span_s} s`);
  }
});

test("what a fine level no longer has comes from a coarser one", () => {
  const full = series();
  flow(full, { hz: 50, count: 50 * 3600 });
  const found = bins(full, "ax", 1000, 1010, 500); // an hour ago; the bins of 20 ms reach back 82 s
  assert.equal(sum(found.map(({ n }) => n)) > 0, true);
  assert.ok(found[0].t1_s - found[0].t0_s > 0.02);
});

test("means of windows count as the samples that they are of", () => {
  const means = series();
  const point = new Point();
  const values = Array.from({ length: 2000 }, (_, n) => Math.sin(n) + (n % 7));
  for (let n = 0; n < 2000; n += 20) {
    point.take(windowOf(n + 20, 1000 + (n + 19) / 1000, values.slice(n, n + 20)));
    means.add(1000 + (n + 19) / 1000, point);
  }
  const { n, mean, deviation, least, greatest, rms } = means.statistics("ax", 999, 1003);
  const exact = sum(values) / 2000;
  assert.equal(n, 2000);
  near(mean, exact);
  near(deviation, Math.sqrt(sum(values.map((value) => (value - exact) ** 2)) / 2000));
  near(rms, Math.sqrt(sum(values.map((value) => value ** 2)) / 2000));
  near(least, Math.min(...values));
  near(greatest, Math.max(...values));
});

test("a lifted pen and flags are those of their bin", () => {
  const flagged = series();
  const point = new Point();
  point.take(event(1, 1000, {}));
  flagged.add(1000, point);
  point.take(event(2, 1001, {}, { flags: ["clipped", "unheard_of"] }));
  flagged.add(1001, point, { lifted: true });
  const found = bins(flagged, "ax", 1000, 1002, 100);
  assert.deepEqual(found.map(({ flags }) => flags), [0, LIFTED | CLIPPED]);
});

test("angles go on past a half turn, so that their mean does too", () => {
  const turning = series();
  const point = new Point();
  for (let n = 0; n < 100; n += 1) {
    const yaw = ((n * 10 + 180) % 360) - 180;
    point.take(event(n + 1, 1000 + n / 100, {}, { attitude: { roll: 0, pitch: 0, yaw } }));
    turning.add(1000 + n / 100, point);
  }
  const found = bins(turning, "yaw", 1000, 1001, 50);
  assert.ok(found.every(({ mean }, i) => i === 0 || mean > found[i - 1].mean));
  near(found.at(-1).last, 990);
});

test("an axis without values has bins of NaN, and no statistics", () => {
  const still = series();
  flow(still, { hz: 100, count: 10 });
  assert.ok(bins(still, "roll", 1000, 1001, 50).every(({ mean }) => Number.isNaN(mean)));
  assert.equal(still.statistics("roll", 1000, 1001), null);
});

test("a clock that begins anew leaves nothing of before", () => {
  const reset = series();
  flow(reset, { hz: 100, count: 100, from_s: 5000 });
  flow(reset, { hz: 100, count: 100, from_s: 3 });
  assert.equal(reset.newest_s, 3.99);
  assert.deepEqual(bins(reset, "ax", 4990, 5002, 100), []);
});

const points = (from_s, to_s, count, { window_s = (to_s - from_s) / count, mean = 5, gaps = 0 } = {}) => {
  const axes = (value) => ({ ax: value, ay: value, az: value, gx: value, gy: value, gz: value, temp: value });
  const listed = Array.from({ length: count }, (_, i) => ({
    time: from_s + i * window_s, n: 10, min: axes(mean - 1), mean: axes(mean), max: axes(mean + 1), gaps: i === 3 ? gaps : 0, lost: 7 * (i === 3),
  }));
  return new Points({ points: listed, window_s }, { from_s, to_s, count }, (time) => time);
};

test("what is not known is missing until points fill it, and is not asked for again", () => {
  const filled = series();
  flow(filled, { hz: 100, count: 500 });
  assert.equal(filled.missing(1000, 1005, 1000), null);
  const missing = filled.missing(990, 1005, 1000);
  assert.deepEqual(missing, { from_s: 990, to_s: 1000 });
  filled.fill(points(missing.from_s, missing.to_s, 1000));
  assert.equal(filled.missing(990, 1005, 1000), null);
  const found = bins(filled, "ax", 990, 1005, 1000);
  assert.ok(found.some(({ t0_s, mean }) => t0_s < 1000 && mean === 5));
  assert.equal(filled.oldest_s, 990);
  assert.ok(Number.isNaN(filled.statistics("ax", 990, 1005).deviation));
});

test("a fill that came out coarse, or empty, is not asked for again as finely", () => {
  const filled = series();
  flow(filled, { hz: 100, count: 500 });
  filled.fill(points(900, 1000, 2, { window_s: 50 }));
  assert.deepEqual(filled.missing(900, 1005, 1000), { from_s: 900, to_s: 1000 }); // it was asked for 2 only
  filled.fill(new Points({ points: [], window_s: 1 }, { from_s: 900, to_s: 1000, count: 1000 }, (time) => time));
  assert.equal(filled.missing(900, 1005, 1000), null);
});

test("a look back into what only wide bins have left is asked for more finely", () => {
  const long = series();
  flow(long, { hz: 50, count: 50 * 7200 });
  assert.equal(long.missing(1000, 8200, 1000), null);
  assert.deepEqual(long.missing(1000, 1010, 1000), { from_s: 1000, to_s: 1010 });
});

test("the time that a tab slept through is missing", () => {
  const slept = series();
  flow(slept, { hz: 100, count: 100 });
  flow(slept, { hz: 100, count: 100, from_s: 1200, begins: true });
  const missing = slept.missing(1000, 1201, 1000);
  near(missing.from_s, 1000.99, 0.02);
  assert.equal(missing.to_s, 1200);
  const lifted = () => bins(slept, "ax", 1000, 1201, 4000).filter(({ flags }) => flags & LIFTED).map(({ t0_s }) => t0_s);
  assert.deepEqual(lifted(), [1200]);
  slept.fill(points(1000.98, 1200, 400));
  assert.deepEqual(lifted(), []);
});

test("points that end before the stream begins do not join it", () => {
  const joined = series();
  flow(joined, { hz: 100, count: 100 });
  joined.fill(points(900, 950, 100));
  joined.fill(new Points({ points: [], window_s: 0.5 }, { from_s: 950, to_s: 1000, count: 100 }, (time) => time));
  const found = bins(joined, "ax", 900, 1001, 200);
  assert.deepEqual(found.filter(({ flags }) => flags & LIFTED).map(({ t0_s }) => t0_s), [1000]);
});

test("another source's past is not asked for", () => {
  const fresh = series();
  fresh.clear(1000);
  flow(fresh, { hz: 100, count: 500 });
  assert.equal(fresh.missing(990, 1005, 1000), null);
});

test("gaps are those of the stream, and those that points know of", () => {
  const gapped = series();
  flow(gapped, { hz: 100, count: 500 });
  gapped.addGap({ t_s: 1002, before_s: 1001, reason: "slow", lost: 3, from: 1, to: 5 });
  gapped.fill(points(990, 1000, 100, { gaps: 1 }));
  const found = gapped.gaps(990, 1005);
  assert.deepEqual(found.map(({ reason, lost }) => [reason, lost]), [["", 7], ["slow", 3]]);
  assert.deepEqual(gapped.gaps(1003, 1005), []);
});

test("memory is bounded: the bins of a level go round", () => {
  const long = series();
  flow(long, { hz: 1, count: COUNT * 3 });
  const found = bins(long, "ax", 1000, 1000 + COUNT * 3, COUNT * 3);
  assert.ok(found.length <= COUNT * 3);
  assert.equal(found.at(-1).last, COUNT * 3 - 1);
});
