import assert from "node:assert/strict";
import test from "node:test";

import { Rate } from "../../trio_mpu/web/static/model/rate.js";

/** Notes samples of this rate, as they are measured. */
function flow(rate, hz, seconds, begun_s = 100) {
  for (let n = 0; n <= hz * seconds; n += 1) rate.note(begun_s + n / hz, 1, 1000 * (begun_s + n / hz));
  return 1000 * (begun_s + seconds);
}

const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < wanted * 1e-6, `${found} is not ${wanted}`);

test("one sample has no rate yet", () => {
  const rate = new Rate();
  assert.equal(rate.hz(0), null);
  rate.note(100, 1, 0);
  assert.equal(rate.hz(0), null);
});

test("a steady flow has its rate, from the slowest to the fastest", () => {
  for (const hz of [1, 10, 100, 1000, 8000]) {
    const rate = new Rate();
    near(rate.hz(flow(rate, hz, 10)), hz);
  }
});

test("what comes in a burst has the rate at which it was measured", () => {
  const rate = new Rate();
  for (let n = 0; n < 1000; n += 1) rate.note(100 + n / 100, 1, 5000);
  near(rate.hz(5000), 100);
});

test("a lost sample lowers the rate", () => {
  const rate = new Rate();
  for (let n = 0; n <= 400; n += 1) if (n % 2 === 0) rate.note(100 + n / 100, 1, 10 * n);
  near(rate.hz(4000), 50);
});

test("after a silence the rate is 0, and then that of what comes", () => {
  const rate = new Rate();
  const now_ms = flow(rate, 100, 4);
  near(rate.hz(now_ms + 1000), 100);
  assert.equal(rate.hz(now_ms + 3000), 0);
  near(rate.hz(flow(rate, 50, 4, 200)), 50);
});

test("a clock that begins anew is followed", () => {
  const rate = new Rate();
  flow(rate, 100, 4, 5000);
  near(rate.hz(flow(rate, 20, 4, 3)), 20);
});

test("events that stand for several samples have the rate of the samples", () => {
  const rate = new Rate();
  for (let n = 1; n <= 200; n += 1) rate.note(100 + n / 50, 20, 20 * n);
  near(rate.hz(4000), 1000);
});
