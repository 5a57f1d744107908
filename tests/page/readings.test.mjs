import assert from "node:assert/strict";
import test from "node:test";

import { ReadingsView, clock, format } from "../../trio_mpu/web/static/view/readings.js";
import { page } from "./browser.mjs";

const sample = { ax: 0.5, ay: -0.25, az: 1, gx: -12.5, gy: 0, gz: 250, temp: 26.101 };
const KEYS = ["ax", "ay", "az", "gx", "gy", "gz", "temp"];
const event = (more = {}) => ({ seq: 1234, time: 50_000, source: "/dev/mpu6050", flags: [], sample, average: sample, ...more });

/** Paints this as the newest event. */
function paint(newest) {
  new ReadingsView({ state: { newest, hz: 100 } }).paint(0);
}

test("a figure has fixed decimals and a true minus sign", () => {
  assert.equal(format(1.23456, 3, false), "1.235");
  assert.equal(format(-1.5, 2, true), "−1.50");
  assert.equal(format(1.5, 2, true), "+1.50");
  assert.equal(format(-1.5, 0, false), "−2");
});

test("what rounds to zero has no sign", () => {
  for (const value of [0.0004, -0.0004, 0, -0]) assert.equal(format(value, 3, true), "0.000");
});

test("the time of day has 24 hours", () => {
  assert.equal(clock(50_000), "13:53:20");
  assert.equal(clock(5), "00:00:05");
});

test("each of the seven axes has its newest value, and its mean with one digit more", () => {
  const element = page();
  paint(event());
  assert.deepEqual(KEYS.map((key) => element(`value-${key}`).textContent),
    ["+0.500", "−0.250", "+1.000", "−12.50", "0.00", "+250.00", "26.10"]);
  assert.deepEqual(KEYS.map((key) => element(`mean-${key}`).textContent),
    ["+0.5000", "−0.2500", "+1.0000", "−12.500", "0.000", "+250.000", "26.101"]);
  assert.equal(element("source").textContent, "/dev/mpu6050");
  assert.equal(element("newest").textContent, "no. 1,234 at 13:53:20");
});

test("each badge stands exactly while the newest sample was simulated, or replayed", () => {
  const element = page();
  for (const flags of [["simulated"], [], ["clipped", "simulated"], ["replayed"], ["simulated", "replayed"]]) {
    paint(event({ flags }));
    assert.equal(element("badge-simulated").hidden, !flags.includes("simulated"));
    assert.equal(element("badge-replayed").hidden, !flags.includes("replayed"));
  }
});

test("a flag stays for two seconds, also that of a sample between two paintings", () => {
  const element = page();
  const readings = new ReadingsView({ state: { newest: event(), hz: 100 } });
  const shown = (now_ms) => {
    readings.paint(now_ms);
    return element("flags").textContent;
  };
  assert.equal(shown(0), "none");
  readings.note(event({ flags: ["stale_repeat"] }), 100, 1000);
  readings.note(event({ flags: ["clipped"] }), 101, 2000);
  readings.note(event(), 102, 2010);
  assert.equal(shown(2020), "clipped, stale_repeat");
  assert.equal(shown(3500), "clipped");
  assert.equal(shown(4500), "none");
});

test("text from a device is shown as text", () => {
  const element = page();
  paint(event({ source: "<b>&amp;" }));
  assert.equal(element("source").textContent, "<b>&amp;");
});
