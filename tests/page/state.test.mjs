import assert from "node:assert/strict";
import test from "node:test";

import { Windows } from "../../trio_mpu/web/static/net/windows.js";
import { BannerView, advice } from "../../trio_mpu/web/static/view/banner.js";
import { DeviceView, calibration, latencyWords, losses } from "../../trio_mpu/web/static/view/device.js";
import { page } from "./browser.mjs";

const FINE = { word: "live", refused: 0, ahead_s: 0.2, windows: 0 };
const NOTHING = { lost: 0, gaps: 0, lostIsAtLeast: false };

test("a page that is live, paused or connecting needs no advice", () => {
  for (const word of ["live", "paused", "connecting"]) assert.equal(advice({ ...FINE, word }), "");
  assert.equal(advice({ ...FINE, ahead_s: NaN }), "");
});

test("each trouble has its own advice", () => {
  const troubles = [
    { word: "waiting" }, { word: "stale" }, { word: "stopped" }, { word: "unanswered" },
    { word: "offline", refused: 503 }, { word: "offline", windows: 6 }, { ahead_s: -61 },
  ];
  const words = troubles.map((trouble) => advice({ ...FINE, ...trouble }));
  assert.equal(new Set(words).size, troubles.length);
  assert.ok(words.every((text) => text !== ""));
  assert.equal(advice({ ...FINE, word: "offline", windows: 5 }), advice({ ...FINE, word: "unanswered" }));
  assert.match(advice({ ...FINE, word: "stale", ahead_s: 500 }), /silent/); // the graver first
});

test("a page without a valid token says so with a way to sign in again, which leads back, and nothing else", () => {
  const element = page();
  globalThis.location = { hash: "#span=60" };
  const state = { ...FINE, word: "offline", refused: 401 };
  const view = new BannerView({ state });
  for (const now_ms of [10_000, 12_000]) view.paint(now_ms);
  assert.equal(element("signed-out").hidden, false);
  assert.equal(element("sign-in").href, "sign-in#span=60");
  assert.equal(element("banner").hidden, true);
  for (const other of [{ word: "live" }, { refused: 503 }, { word: "connecting", refused: 0 }]) {
    Object.assign(state, { word: "offline", refused: 401 }, other);
    view.paint(14_000);
    assert.equal(element("signed-out").hidden, true);
  }
});

test("a wrong clock is called so from a minute on, with its direction", () => {
  assert.match(advice({ ...FINE, ahead_s: -185 }), /^The board's clock is 3 min behind this computer's/);
  assert.match(advice({ ...FINE, ahead_s: 7200 }), /^The board's clock is 2 h ahead of this computer's/);
  assert.equal(advice({ ...FINE, ahead_s: 59 }), "");
});

test("what is over within a second shows no banner, and a banner goes immediately", () => {
  const element = page();
  const state = { ...FINE, word: "offline" };
  const view = new BannerView({ state });
  view.paint(10_000);
  view.paint(10_900);
  assert.equal(element("banner").textContent, "");
  view.paint(11_000);
  assert.equal(element("banner").hidden, false);
  assert.match(element("banner").textContent, /power/);
  state.word = "live";
  view.paint(11_100);
  assert.equal(element("banner").hidden, true);
});

test("only what was lost is shown, and in words", () => {
  assert.equal(losses(null, NOTHING), "nothing lost so far");
  assert.equal(losses({ device_lost: 0, gaps_slow: 3 }, NOTHING), "nothing lost so far");
  assert.equal(losses({ device_lost: 1200, ticks_lost: 2, chip_resets: 2 }, NOTHING),
    "1,200 readings did not come from the sensor\n2 readings were missed because the producer was held up");
});

test("what this page missed is shown, also when nobody knows how much", () => {
  const gap = { ...NOTHING, gaps: 1 };
  assert.equal(losses(null, { ...gap, lost: 5 }), "5 readings missing in the stream of this page");
  assert.equal(losses(null, { ...gap, lostIsAtLeast: true }), "an unknown number of readings missing in the stream of this page");
  assert.equal(losses(null, { lost: 7, gaps: 2, lostIsAtLeast: true }), "at least 7 readings missing in the stream of this page");
});

test("a calibration is shown with its day, and none with how to make one", () => {
  const real = { source: "i2c:1:0x68", flags: ["uncalibrated"] };
  assert.equal(calibration("2026-01-31 0a1b2c3d4e", { ...real, flags: [] }), "0a1b2c3d4e, made on 2026-01-31");
  assert.match(calibration("", real), /factory values.*trio-mpu calibrate --device i2c:1:0x68$/);
  assert.match(calibration("", { source: "sim", flags: ["simulated"] }), /none needed/);
});

test("a latency is shown with its error, never more exactly than it is known", () => {
  assert.match(latencyWords({ latency_s: 0.0124, error_s: 0.0031, exchanges: 8 }), /^about 12 ms \u00b1 4 ms/);
  assert.equal(latencyWords(null), "not known yet");
});

test("what is not known yet is said to be so, and nothing is made up", () => {
  const element = page();
  const state = { newest: null, device: null, period_s: NaN, hz: null, ledger: null };
  const view = new DeviceView({ state, ledger: NOTHING, latency: { estimate: () => null, age_s: () => NaN } });
  view.paint(0);
  assert.equal(element("rates").textContent, "\u2013 Hz received");
  Object.assign(state, {
    newest: { source: "sim:seed=1", flags: ["replayed", "simulated"], t_ns: 0 }, hz: 99.96, period_s: 0.01,
    device: { chip: "MPU-6050, \u00b12 g", calibration: "" },
  });
  view.paint(1);
  assert.equal(element("rates").textContent, "100 Hz asked, 100.0 Hz received");
  assert.equal(element("measured-by").textContent, "sim:seed=1, SIMULATED, REPLAYED");
  assert.equal(element("chip").textContent, "MPU-6050, \u00b12 g");
});

/** A channel among the windows of one browser that delivers immediately. */
class Channel {
  static #all = new Set();

  constructor() {
    Channel.#all.add(this);
  }

  postMessage(data) {
    for (const other of Channel.#all) if (other !== this) other.onmessage({ data });
  }

  close() {
    Channel.#all.delete(this);
  }
}

test("windows that hold a stream are counted, others and oneself are not", async () => {
  globalThis.BroadcastChannel = Channel;
  const open = { a: true, b: true, c: false, me: true };
  const windows = Object.keys(open).map((name) => new Windows(() => open[name]));
  windows.forEach((window) => window.listen(true));
  const me = windows.at(-1);
  assert.equal(await me.count(0), 2);
  open.c = true;
  assert.equal(await me.count(0), 3);
  windows[0].listen(false);
  assert.equal(await me.count(0), 2);
  windows[0].listen(true);
  assert.equal(await me.count(0), 3);
  me.listen(false);
  assert.equal(await me.count(0), 0);
});
