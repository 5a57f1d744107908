import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";

import { decimals, multiples, niceStep, relativeLabel, timeStep, wallLabel, wallTicks } from "../../trio_mpu/web/static/model/ticks.js";

const NOON = Date.UTC(2026, 10, 30, 12) / 1000; // the tests run in UTC

/** What a module's function gives in another time zone. */
function inZone(zone, call) {
  const url = new URL("../../trio_mpu/web/static/model/ticks.js", import.meta.url);
  const code = `import * as t from "${url}"; console.log(JSON.stringify(${call}))`;
  const { stdout, stderr } = spawnSync("node", ["--input-type=module", "-e", code], { env: { ...process.env, TZ: zone }, encoding: "utf8" });
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

test("a step is 1, 2 or 5 times a power of ten, and the next one up", () => {
  const found = [0.0011, 0.1, 0.3, 1, 1.0001, 5.1, 20, 21, 999].map(niceStep);
  assert.deepEqual(found.map((step) => Number(step.toPrecision(6))), [0.002, 0.1, 0.5, 1, 2, 10, 20, 50, 1000]);
});

test("time is divided as a clock face is, and days by 1, 2 and 5", () => {
  const steps = [0.05, 10, 60, 300, 1800, 10800, 86400, 2592000, 31536000].map((span_s) => timeStep(span_s, 10));
  assert.deepEqual(steps.map((step) => Number(step.toPrecision(6))), [0.005, 1, 10, 30, 300, 1800, 10800, 432000, 4320000]);
});

test("at most so many ticks are asked for, whatever the window", () => {
  for (let span_s = 0.01; span_s < 1e8; span_s *= 1.37) {
    const ticks = multiples(0, span_s, timeStep(span_s, 8));
    assert.ok(ticks.length >= 2 && ticks.length <= 9, `${span_s}: ${ticks.length}`);
  }
});

test("multiples lie where they did when the window moves, and include both ends", () => {
  assert.deepEqual(multiples(-1, 1, 0.5), [-1, -0.5, 0, 0.5, 1]);
  const [a, b] = [multiples(1000.03, 1001.03, 0.1), multiples(1000.05, 1001.05, 0.1)];
  assert.deepEqual(a, b);
  assert.deepEqual(multiples(NaN, NaN, 1), []);
});

test("labels have the decimals that tell them apart", () => {
  assert.deepEqual([0.001, 0.02, 0.5, 1, 20].map(decimals), [3, 2, 1, 0, 0]);
});

test("a time is written as finely as its step needs", () => {
  const label = (s, step) => wallLabel(NOON + s, step);
  assert.equal(label(0.25, 0.05), "12:00:00.25");
  assert.equal(label(0.9996, 0.002), "12:00:01.000");
  assert.equal(label(7, 1), "12:00:07");
  assert.equal(label(60, 60), "12:01");
  assert.equal(label(12 * 3600, 3600), "1 Dec");
  assert.equal(label(12 * 3600, 1), "00:00:00");
  assert.equal(label(0, 86400), "30 Nov");
});

test("relative times count in the unit of their step", () => {
  assert.equal(relativeLabel(-5, 1), "−5 s");
  assert.equal(relativeLabel(2.5, 0.5), "+2.5 s");
  assert.equal(relativeLabel(-0.0001, 0.5), "0");
  assert.equal(relativeLabel(-90, 30), "−90 s");
  assert.equal(relativeLabel(-300, 60), "−5 min");
  assert.equal(relativeLabel(-7200, 3600), "−2 h");
  assert.equal(relativeLabel(-172800, 86400), "−2 d");
});

test("hours begin when they do on the reader's clock", () => {
  assert.deepEqual(wallTicks(NOON - 1, NOON + 7200, 3600), [NOON, NOON + 3600, NOON + 7200]);
  const india = inZone("Asia/Kolkata", `t.wallTicks(${NOON}, ${NOON + 7200}, 3600).map((s) => t.wallLabel(s, 3600))`);
  assert.deepEqual(india, ["18:00", "19:00"]);
});

test("days begin at midnight also after a change to winter time", () => {
  const begin = Date.UTC(2026, 9, 24, 6) / 1000;
  const days = inZone("Europe/Berlin", `t.wallTicks(${begin}, ${begin + 4 * 86400}, 86400).map((s) => new Date(s * 1000).getHours())`);
  assert.deepEqual(days, [0, 0, 0, 0]);
});

test("ticks of a short window are not looked for hours around it", () => {
  assert.equal(wallTicks(NOON, NOON + 0.01, 0.002).length, 6);
  assert.ok(wallTicks(NOON, NOON + 1e-4, 2e-5).length <= 6); // around it, they would be more than fit into memory
});
