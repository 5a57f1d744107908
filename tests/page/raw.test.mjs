import assert from "node:assert/strict";
import test from "node:test";

import { Point } from "../../trio_mpu/web/static/model/point.js";
import { RawSamples } from "../../trio_mpu/web/static/model/raw.js";
import { event } from "./streams.mjs";

function add(raw, from, count, flags = () => 0) {
  const point = new Point();
  for (let n = from; n < from + count; n += 1) {
    point.take(event(n, n / 100, { ax: n }));
    raw.add(n / 100, point, flags(n));
  }
}

test("a slice has the samples of its time, both ends included", () => {
  const raw = new RawSamples();
  add(raw, 100, 500, (n) => (n === 250 ? 1 | 2 : 2));
  const slice = raw.slice(2, 3);
  assert.deepEqual([slice.t_s[0], slice.t_s.at(-1), slice.t_s.length], [2, 3, 101]);
  assert.deepEqual([slice.ax[0], slice.az[0], slice.temp.at(-1)], [200, 1, 25]);
  assert.deepEqual([...slice.broken.entries()].filter(([, broken]) => broken), [[50, 1]]);
  assert.equal(slice.cut, false);
});

test("it is complete from its oldest sample on, and from nothing after a break", () => {
  const raw = new RawSamples();
  assert.equal(raw.complete(0), false);
  add(raw, 100, 100);
  assert.deepEqual([raw.complete(0.99), raw.complete(1), raw.complete(1.5)], [false, true, true]);
  raw.clear();
  assert.equal(raw.complete(1.99), false);
  assert.equal(raw.slice(0, 10).t_s.length, 0);
  add(raw, 300, 10);
  assert.deepEqual([raw.complete(2), raw.complete(3)], [false, true]);
});

test("when it is full the oldest samples go, and slices reach over the end of the ring", () => {
  const raw = new RawSamples();
  add(raw, 1, 70_000);
  const slice = raw.slice(0, 1e9);
  assert.equal(slice.t_s.length, 65_536);
  assert.ok(slice.ax.every((value, i) => i === 0 || value === slice.ax[i - 1] + 1));
  assert.equal(slice.ax.at(-1), 70_000);
  assert.deepEqual([...raw.slice(655.3, 655.4).ax], [65_530, 65_531, 65_532, 65_533, 65_534, 65_535, 65_536, 65_537, 65_538, 65_539, 65_540]);
});

test("each sample is visited as a bin of one", () => {
  const raw = new RawSamples();
  add(raw, 100, 10);
  const found = [];
  raw.each(0, 1.02, 1.05, (t0_s, t1_s, first, least, greatest, last, mean, n) => found.push([t0_s, t1_s, first, least, greatest, last, mean, n]));
  assert.deepEqual(found, [102, 103, 104].map((n) => [n / 100, n / 100, n, n, n, n, n, 1]));
  raw.each(7, 0, 10, () => assert.fail("angles are not kept"));
});
