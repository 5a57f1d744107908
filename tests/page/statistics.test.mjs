import assert from "node:assert/strict";
import test from "node:test";

import { Moments } from "../../trio_mpu/web/static/model/statistics.js";

function close(found, wanted, tolerance = 1e-12) {
  assert.ok(Math.abs(found - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `${found} is not ${wanted}`);
}

function same(found, wanted) {
  assert.equal(found.n, wanted.n);
  assert.equal(found.least, wanted.least);
  assert.equal(found.greatest, wanted.greatest);
  for (const name of ["mean", "deviation", "rms"]) close(found[name], wanted[name]);
}

/** The numbers from 1 to n. */
const counting = (n) => Float64Array.from({ length: n }, (_, i) => i + 1);

function oneByOne(values) {
  const moments = new Moments();
  for (const value of values) moments.add(value);
  return moments;
}

test("the numbers from 1 to n have the mean, deviation and RMS of the closed form", () => {
  for (const n of [1, 2, 7, 1000]) {
    for (const moments of [Moments.of(counting(n)), oneByOne(counting(n))]) {
      close(moments.mean, (n + 1) / 2);
      close(moments.deviation, Math.sqrt((n * n - 1) / 12));
      close(moments.rms, Math.sqrt(((n + 1) * (2 * n + 1)) / 6));
      assert.deepEqual([moments.n, moments.least, moments.greatest], [n, 1, n]);
    }
  }
});

test("whole periods of a sine have the RMS of its amplitude over the root of 2", () => {
  const sine = Float64Array.from({ length: 1000 }, (_, i) => 3 * Math.sin((2 * Math.PI * 7 * i) / 1000));
  const { mean, deviation, rms } = Moments.of(sine);
  close(mean, 0);
  close(deviation, 3 / Math.SQRT2);
  close(rms, 3 / Math.SQRT2);
});

test("parts of any length add up to the whole", () => {
  const values = counting(1000).map((k) => 1 + Math.sin(k * k) / 1000);
  const whole = new Moments();
  for (let from = 0, length = 1; from < values.length; from += length, length = (length % 37) + 1) {
    const part = Moments.of(values.subarray(from, from + length));
    whole.merge(part.n, part.mean, part.deviation, part.least, part.greatest);
  }
  same(whole, Moments.of(values));
});

test("a large mean takes nothing from a small deviation", () => {
  const values = [1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]; // sums of squares about 0 lose it all
  for (const moments of [Moments.of(values), oneByOne(values)]) close(moments.deviation, Math.sqrt(22.5));
});

test("nothing has no mean, and adding nothing changes nothing", () => {
  const moments = new Moments();
  assert.deepEqual([moments.n, moments.mean, moments.deviation, moments.rms], [0, NaN, NaN, NaN]);
  assert.equal(Moments.of([]).n, 0);
  moments.add(2);
  moments.merge(0, NaN, NaN, Infinity, -Infinity);
  same(moments, Moments.of([2]));
});

test("NaN is no value", () => {
  const values = [NaN, 1, NaN, 3, NaN];
  same(Moments.of(values), Moments.of([1, 3]));
  same(oneByOne(values), Moments.of([1, 3]));
});

test("a part without a deviation leaves that of the whole unknown, and the rest known", () => {
  for (const unknownFirst of [true, false]) {
    const moments = new Moments();
    if (!unknownFirst) moments.add(4);
    moments.merge(3, 8, NaN, 7, 9);
    if (unknownFirst) moments.add(4);
    assert.deepEqual([moments.n, moments.mean, moments.least, moments.greatest], [4, 7, 4, 9]);
    assert.ok(Number.isNaN(moments.deviation) && Number.isNaN(moments.rms));
  }
});
