import assert from "node:assert/strict";
import test from "node:test";

import { byHand, fitted, rangeOf } from "../../trio_mpu/web/static/model/scale.js";

const CHIP = "MPU-6050, ±2 g, ±250 °/s, DLPF 3 (44/42 Hz), 100 Hz";

test("a scale holds the values, ends on round numbers, and is not much wider", () => {
  for (const [least, greatest] of [[-0.35, 1.02], [0.999, 1.001], [-250, 250], [26.1, 26.4], [-3, -3], [1e-6, 2e-6]]) {
    const { low, high } = fitted(null, least, greatest, 0.01);
    assert.ok(low <= least && greatest <= high, `${low} ${high}`);
    assert.ok(high - low <= 1.6 * Math.max(greatest - least, 0.01), `${low} ${high}`);
  }
  assert.deepEqual(fitted(null, -0.35, 1.02, 0.08), { low: -0.4, high: 1.2 });
});

test("noise at rest looks like rest", () => {
  const { low, high } = fitted(null, 0.999, 1.001, 0.08);
  assert.ok(high - low >= 0.08);
});

test("a scale stays while the values fit and fill half of it", () => {
  const first = fitted(null, -1, 1, 0.1);
  assert.equal(fitted(first, -0.9, 0.95, 0.1), first);
  assert.equal(fitted(first, -0.6, 0.6, 0.1), first);
  assert.notEqual(fitted(first, -0.2, 0.2, 0.1), first);
  assert.notEqual(fitted(first, -1, 1.01, 0.1), first);
});

test("values that come and go at an edge do not make it flicker", () => {
  let present = fitted(null, 0, 0.99, 0.1);
  let changes = 0;
  for (let i = 0; i < 1000; i += 1) {
    const next = fitted(present, 0, 1 + 0.02 * Math.sin(i), 0.1);
    changes += next !== present;
    present = next;
  }
  assert.ok(changes <= 1, `${changes}`);
});

test("without values the present scale stays", () => {
  assert.equal(fitted(null, Infinity, -Infinity, 1), null);
  const present = { low: 0, high: 1 };
  assert.equal(fitted(present, NaN, NaN, 1), present);
});

test("the range is read from what the chip is called", () => {
  assert.deepEqual(rangeOf(CHIP, "g"), { low: -2, high: 2 });
  assert.deepEqual(rangeOf(CHIP, "°/s"), { low: -250, high: 250 });
  assert.deepEqual(rangeOf("recorded from i2c:1:0x68 (MPU-6500, ±16 g, ±2000 °/s)", "g"), { low: -16, high: 16 });
  for (const chip of ["", undefined, null, "an MPU-6050 of ±0 g", "± g", "2 g"]) assert.equal(rangeOf(chip, "g"), null);
  assert.equal(rangeOf(CHIP, "°C"), null);
});

test("a scale by hand has two numbers, the lower one first", () => {
  assert.deepEqual(byHand("-1.5..2"), { low: -1.5, high: 2 });
  assert.deepEqual(byHand("1e-3..0.5"), { low: 0.001, high: 0.5 });
  for (const text of ["auto", "range", "", "1", "2..1", "1..1", "..1", "1..", "a..b", "1..2..3", "-Infinity..1"]) assert.equal(byHand(text), null, text);
});
