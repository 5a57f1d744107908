import assert from "node:assert/strict";
import test from "node:test";

import { LIFTED } from "../../trio_mpu/web/static/model/bins.js";
import { Follower, RESUME_S, pause_s } from "../../trio_mpu/web/static/model/follower.js";
import { Ledger } from "../../trio_mpu/web/static/model/ledger.js";
import { Rate } from "../../trio_mpu/web/static/model/rate.js";
import { RawSamples } from "../../trio_mpu/web/static/model/raw.js";
import { Series } from "../../trio_mpu/web/static/model/series.js";
import { Timeline } from "../../trio_mpu/web/static/model/timeline.js";
import { WALL_S, event } from "./streams.mjs";

function follower() {
  const parts = { ledger: new Ledger(), series: new Series(new RawSamples()), timeline: new Timeline(), rate: new Rate() };
  return { ...parts, follower: new Follower(parts) };
}

/** Takes samples at 100 Hz, numbers `from` to `to`, each at its number / 100 s. */
function flow({ follower }, from, to, more = {}) {
  follower.heard(10 * from);
  for (let seq = from; seq <= to; seq += 1) {
    follower.cursor(10 * seq);
    follower.take(event(seq, seq / 100, {}, more), 10 * seq);
    follower.heard(10 * seq);
  }
}

function lifted({ series }, from_s, to_s) {
  const found = [];
  series.each("ax", from_s, to_s, 10_000, (t_s, ...rest) => rest[7] & LIFTED && found.push(t_s));
  return found;
}

test("a page begins with the present, and resumes what it missed shortly by id", () => {
  const parts = follower();
  assert.equal(parts.follower.cursor(0), null);
  flow(parts, 100, 200);
  assert.equal(parts.follower.cursor(2000 + 1000 * RESUME_S), parts.ledger.lastId);
  assert.equal(parts.follower.cursor(2001 + 1000 * RESUME_S), null);
});

test("after a long time away it begins with the present, and calls nothing lost", () => {
  const parts = follower();
  flow(parts, 100, 200);
  parts.follower.slept = true;
  assert.equal(parts.follower.cursor(200_000), null);
  assert.equal(parts.follower.take(event(18_000, 180), 200_000), 180);
  const { skipped, lost, lastSkip } = parts.ledger;
  assert.deepEqual([skipped, lost, lastSkip.why], [17_799, 0, "slept"]);
  assert.deepEqual(lifted(parts, 179, 181), [180]);
  assert.equal(parts.follower.slept, false);
});

test("what comes again is taken for nothing", () => {
  const parts = follower();
  flow(parts, 100, 110);
  assert.equal(parts.follower.take(event(105, 1.05), 1200), null);
  assert.equal(parts.series.newest_s, 1.1);
});

test("the pen is lifted by a gap and by a pause, and not by a slow rate", () => {
  const parts = follower();
  flow(parts, 100, 400);
  parts.follower.take(event(403, 4.03, {}, { gap: { from: 400, to: 403, lost: 2, reason: "slow" } }), 4030);
  parts.follower.take(event(404, 8, {}), 8000);
  assert.deepEqual(lifted(parts, 1.5, 9), [4.03, 8]);
  assert.deepEqual(parts.series.gaps(0, 9).map(({ t_s, before_s, reason }) => [t_s, before_s, reason]), [[4.03, 4, "slow"]]);
  assert.deepEqual([pause_s(1000), pause_s(1), pause_s(null), pause_s(0)], [1, 5, Infinity, Infinity]);
});

test("the past of another source goes", () => {
  const parts = follower();
  flow(parts, 100, 200);
  parts.follower.take(event(201, 2.01, {}, { source: "i2c:1:0x68" }), 2010);
  assert.equal(parts.series.oldest_s, 2.01);
  assert.equal(parts.series.missing(0, 2.01, 100), null);
});

test("times are by the wall clock of the newest sample", () => {
  const parts = follower();
  flow(parts, 100, 200);
  assert.equal(parts.timeline.wall_s(1.5), WALL_S + 1.5);
  parts.follower.take(event(201, 2.01, {}, { time: 5 + 2.01 }), 2010);
  assert.equal(parts.timeline.wall_s(1.5), 6.5);
  assert.equal(parts.timeline.t_s(6.5), 1.5);
});

test("a sample of /json is new once the stream should have brought it", () => {
  const parts = follower();
  assert.equal(parts.follower.isNew(event(1, 1), 0), true);
  flow(parts, 100, 200);
  assert.equal(parts.follower.isNew(event(200, 2), 0), false);
  assert.equal(parts.follower.isNew(event(201, 2.01), 0), true);
  assert.equal(parts.follower.isNew(event(203, 2.03), 0.02), false); // its window may not be complete yet
  assert.equal(parts.follower.isNew(event(205, 2.05), 0.02), true);
});
