import assert from "node:assert/strict";
import test from "node:test";

import { Frame, placed } from "../../trio_mpu/web/static/model/frame.js";
import { Welch } from "../../trio_mpu/web/static/model/psd.js";
import { Reference } from "../../trio_mpu/web/static/model/reference.js";
import { csvOf, describe, figure, limitsOf, peaksText, shownOf, unitOf } from "../../trio_mpu/web/static/model/spectrum.js";
import { near, samplesAt, times } from "./tones.mjs";

const BOX = { left: 40, right: 640, top: 10, bottom: 210 };
const at = (frame, values, width_hz) => frame.curve(values, width_hz);

test("a frequency has its place, linear or logarithmic, and a place its frequency", () => {
  for (const [from_hz, log] of [[0, false], [1, true]]) {
    const frame = new Frame(BOX, [from_hz, 500], [-100, 0], log);
    assert.equal(frame.x(from_hz), 40);
    assert.equal(frame.x(500), 640);
    for (const hz of [2, 50, 499]) assert.ok(near(frame.hz(frame.x(hz)), hz, 1e-12));
    assert.deepEqual([frame.y(0), frame.y(-50), frame.y(-100)], [10, 110, 210]);
  }
});

test("frequencies are written in round steps, in decades on a logarithmic scale", () => {
  assert.deepEqual(new Frame(BOX, [0, 500], [0, 1]).ticks_hz(60).map(Math.abs), [0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500]);
  assert.deepEqual(new Frame(BOX, [1.5, 120], [0, 1], true).ticks_hz(60), [2, 5, 10, 20, 50, 100]);
});

test("a curve has each bin, cut off at the edges, and none outside", () => {
  const frame = new Frame(BOX, [0, 6], [0, 10]);
  assert.deepEqual(at(frame, [0, 5, 20, -3, 10], 2), [40, 210, 240, 110, 440, 10, 640, 210]);
});

test("of bins that share a column of pixels, the greatest is drawn", () => {
  const values = new Float64Array(60_001).fill(1);
  values[33_333] = 9;
  const points = at(new Frame(BOX, [0, 600], [0, 10]), values, 0.01);
  assert.ok(points.length <= 2 * 601);
  assert.equal(Math.min(...points.filter((_, i) => i % 2 === 1)), 30);
});

test("a logarithmic curve begins above 0 Hz", () => {
  const points = at(new Frame(BOX, [1, 100], [0, 10], true), [7, 5, 5], 1);
  assert.equal(points.length, 4);
  assert.ok(points.every(Number.isFinite));
});

test("labels cover each other nowhere, stay inside, and the highest peak has the best place", () => {
  const labels = [[100, 90], [110, 92], [120, 94], [41, 70], [639, 12]].map(([x, y]) => ({ x, y, width: 80 }));
  const spots = placed(labels, BOX, 13);
  assert.deepEqual(spots[0], { x: 100, y: 90, width: 80 });
  spots.forEach((spot, i) => {
    assert.ok(spot.x - 40 >= BOX.left && spot.x + 40 <= BOX.right && spot.y - 13 >= BOX.top && spot.y <= BOX.bottom);
    for (const other of spots.slice(0, i)) {
      assert.ok(Math.abs(spot.x - other.x) >= 80 || Math.abs(spot.y - other.y) >= 13);
    }
  });
});

test("a label without any room is left out", () => {
  const spots = placed(Array(5).fill({ x: 50, y: 26, width: 60 }), { left: 0, right: 100, top: 0, bottom: 30 }, 13);
  assert.deepEqual(spots.map((spot) => spot !== null), [true, true, false, false, false]);
});

test("units and numbers belong together", () => {
  const cases = [
    [{}, "g²/Hz", 1e-6],
    [{ root: true }, "g/√Hz", 1e-3],
    [{ db: true }, "dB of 1 g²/Hz", -60],
    [{ db: true, root: true }, "dB of 1 g/√Hz", -60],
    [{ printer: true }, "(mm/s²)²/Hz", 1e-6 * 9806.65 ** 2],
    [{ printer: true, root: true }, "mm/s²/√Hz", 1e-3 * 9806.65],
  ];
  for (const [style, unit, value] of cases) {
    assert.equal(unitOf(style), unit);
    assert.ok(near(shownOf(1e-6, style), value, 1e-12));
  }
  assert.ok(Number.isFinite(shownOf(0, { db: true })));
});

test("the file has a line a bin, in the unit of its preset, under the names that printers' tools know", () => {
  const result = { bin_hz: 2, psd: [[1, 2], [3, 4], [5, 6], [9, 12]] };
  assert.equal(csvOf(result, { db: true, root: true }), "freq,psd_x,psd_y,psd_z,psd_xyz\n0,1,3,5,9\n2,2,4,6,12\n");
  const [, , line] = csvOf(result, { printer: true }).split("\n");
  assert.deepEqual(line.split(",").map(Number), [2, ...[2, 4, 6, 12].map((value) => Number((value * 9806.65 ** 2).toPrecision(9)))]);
});

test("what was calculated is said in words, and what was left out", () => {
  const samples = samplesAt(times(10_000, 1000, 5000, 5333), []);
  const said = (of, options) => describe(new Welch().compute(of, options), of);
  assert.equal(
    said(samples, { length: 1024 }),
    "10.0 s at 1,000 Hz; 16 segments of 1,024 samples averaged, hann window, overlap 50 %; "
      + "a bin is 0.977 Hz, the noise bandwidth 1.46 Hz; with 1 gap: 2 stretches apart",
  );
  assert.match(said(samples, { length: 4096, overlap: 0 }), /: 2 stretches apart$/);
  assert.match(said({ ...samples, cut: true }, { length: 8192 }), /^10\.0 s at 1,000 Hz; too short for a segment of 8,192 samples; with 1 gap: .*; only the newest/);
  samples.broken[100] = 1;
  assert.match(said(samples, { length: 1024 }), /with 2 gaps: 2 stretches apart; 100 samples left out/);
  assert.equal(said(samplesAt([], [])), "Waiting for samples");
  assert.equal(peaksText([{ f_hz: 57.31, height_g: 0.3 }, { f_hz: 8, height_g: 0.0123 }], 1), "57.3 Hz 0.300 g · 8.0 Hz 0.0123 g");
});

test("a scale stays while the values fit, and is round", () => {
  assert.deepEqual(limitsOf([-83, -21], true, null), [-90, -10]);
  assert.deepEqual(limitsOf([-85, -17], true, [-90, -10]), [-90, -10]);
  assert.deepEqual(limitsOf([-95, -15], true, [-90, -10]).map((db) => db + 0), [-100, 0]);
  assert.deepEqual(limitsOf([-300, -21], true, null), [-130, -10]);
  assert.deepEqual(limitsOf([-125, -21], true, [-90, -10]), [-130, -10]);
  assert.deepEqual(limitsOf([0, 0.0018], false, null), [0, 0.002]);
  assert.deepEqual(limitsOf([0, 0.0012], false, [0, 0.002]), [0, 0.002]);
  assert.deepEqual(limitsOf([0, 0.0005], false, [0, 0.002]), [0, 0.0006]);
  assert.deepEqual(limitsOf([0, 0], false, null), [0, 1]);
});

test("a reference is kept in the storage, and what is none there is not used", () => {
  const stored = new Map();
  const storage = () => ({
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, text) => stored.set(key, text),
    removeItem: (key) => stored.delete(key),
  });
  const reference = new Reference(storage);
  assert.equal(reference.kept, null);
  reference.keep({ bin_hz: 2, psd: [[1, 2], [3, 4], [5, 6], [9, 12.3456789]].map((axis) => Float64Array.from(axis)) }, 1.7e12);
  const again = new Reference(storage).kept;
  assert.deepEqual(again, { wall_ms: 1.7e12, bin_hz: 2, psd: [[1, 2], [3, 4], [5, 6], [9, 12.346]] });
  reference.keep(null);
  assert.equal(new Reference(storage).kept, null);
  for (const text of ["{", "null", "{}", '{"bin_hz":1,"psd":[[1]]}']) {
    stored.set("trio-mpu.spectrum", text);
    assert.equal(new Reference(storage).kept, null, text);
  }
});

test("without a storage the reference lasts as long as the page", () => {
  const reference = new Reference(() => {
    throw new Error("forbidden");
  });
  reference.keep({ bin_hz: 2, psd: [[1], [1], [1], [3]] }, 0);
  assert.equal(reference.kept.bin_hz, 2);
  reference.keep(null);
  assert.equal(reference.kept, null);
});

test("figures stay short", () => {
  const shown = [0, 12.3456, -62.123, 250_000, 2_500_000_000, 0.00000123456, -0.00000123456].map((value) => figure(value, 3));
  assert.deepEqual(shown, ["0", "12.3", "−62.1", "250000", "2.5e9", "1.23e-6", "−1.23e-6"]);
});
