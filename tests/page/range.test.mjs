import assert from "node:assert/strict";
import test from "node:test";

import { LEAST_SPAN_S, Range } from "../../trio_mpu/web/static/model/range.js";

const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-9, `${found} is not ${wanted}`);

function live(span_s = 10, newest_s = 1000, oldest_s = 500) {
  const range = new Range(span_s);
  range.follow(newest_s, oldest_s);
  return range;
}

test("live it ends with the newest sample", () => {
  const range = live();
  assert.deepEqual([range.live, range.from_s, range.to_s, range.span_s], [true, 990, 1000, 10]);
  const { version } = range;
  range.follow(1001, 500);
  assert.equal(range.to_s, 1001);
  assert.notEqual(range.version, version);
});

test("paused it stays, and live again it catches up", () => {
  const range = live();
  range.pause();
  range.follow(1005, 500);
  assert.deepEqual([range.live, range.to_s], [false, 1000]);
  range.resume();
  range.follow(1006, 500);
  assert.equal(range.to_s, 1006);
});

test("a page opened paused still gets a first window", () => {
  const range = new Range(10);
  range.pause();
  range.follow(1000, 500);
  assert.equal(range.to_s, 1000);
});

test("everything reaches from the oldest to the newest", () => {
  const range = live(Infinity);
  assert.deepEqual([range.from_s, range.to_s], [500, 1000]);
  range.setSpan(10);
  assert.equal(range.from_s, 990);
  range.setSpan(Infinity);
  assert.deepEqual([range.from_s, range.live], [500, true]);
});

test("zooming keeps the time under the pointer, and pauses", () => {
  const range = live();
  range.zoom(0.5, 992.5);
  assert.deepEqual([range.from_s, range.to_s, range.live], [991.25, 996.25, false]);
  range.zoom(2, 992.5);
  assert.deepEqual([range.from_s, range.to_s], [990, 1000]);
});

test("panning keeps the span", () => {
  const range = live();
  range.pan(-3);
  assert.deepEqual([range.from_s, range.to_s, range.live], [987, 997, false]);
});

test("a span has bounds, and stays around its middle", () => {
  const range = live();
  range.zoom(1e-9);
  near(range.span_s, LEAST_SPAN_S);
  near(range.from_s + range.to_s, 1990);
  range.show(7, 7);
  near(range.span_s, LEAST_SPAN_S);
});

test("nothing can be zoomed or panned away before the first sample", () => {
  const range = new Range(10);
  range.pan(1);
  range.zoom(2, 5);
  range.show(NaN, NaN);
  range.follow(100, 0);
  assert.deepEqual([range.live, range.from_s, range.to_s], [true, 90, 100]);
});
