import assert from "node:assert/strict";
import test from "node:test";

import { Range } from "../../trio_mpu/web/static/model/range.js";
import { Gestures, keyAction, pinched, wheelFactor } from "../../trio_mpu/web/static/view/gestures.js";

const WIDTH_PX = 100;
const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-9 * Math.max(1, Math.abs(a)), `${a} is not ${b}`);

/** A plot 100 px wide whose time axis is below 90 px; what is done to it, and what it did. */
function plot({ live = false } = {}) {
  const calls = new Map();
  const canvas = { addEventListener: (name, call) => calls.set(name, call), setPointerCapture() {} };
  globalThis.document = { activeElement: null };
  const range = new Range(10);
  range.follow(100, 0);
  if (!live) range.pause();
  const did = [];
  const note = (name) => (...what) => did.push([name, ...what]);
  const act = { point: note("point"), pin: note("pin"), select: note("select"), key: note("key"), moved() {} };
  new Gestures(canvas, { share: (x) => x / WIDTH_PX, inTimeAxis: (y) => y > 90 }, range, act);
  let now_ms = 0;
  const on = (name, event) => {
    const full = { offsetX: 0, offsetY: 0, button: 0, pointerId: 1, pointerType: "mouse", type: name, timeStamp: (now_ms += 1000), deltaX: 0, deltaY: 0,
      deltaMode: 0, prevented: false, preventDefault() { full.prevented = true; }, ...event };
    calls.get(name)(full);
    return full.prevented;
  };
  return { canvas, range, did, on };
}

test("zooming with the wheel keeps the time under the pointer", () => {
  const { range, on } = plot();
  for (const [offsetX, deltaY] of [[30, -100], [30, 250], [99, -40], [0, 60]]) {
    const before_s = range.from_s + (offsetX / WIDTH_PX) * range.span_s;
    const span_s = range.span_s;
    assert.ok(on("wheel", { offsetX, deltaY, ctrlKey: true }));
    close(range.from_s + (offsetX / WIDTH_PX) * range.span_s, before_s);
    assert.ok(deltaY < 0 ? range.span_s < span_s : range.span_s > span_s);
  }
});

test("a plain wheel scrolls the page, unless the plot has the focus", () => {
  const { canvas, range, on } = plot();
  assert.equal(on("wheel", { deltaY: 100 }), false);
  close(range.span_s, 10);
  document.activeElement = canvas;
  assert.ok(on("wheel", { deltaY: 100 }));
  assert.ok(range.span_s > 10);
});

test("a sideways wheel pans, and so does one with shift", () => {
  const { range, on } = plot();
  assert.ok(on("wheel", { deltaX: 10, deltaY: 2 }));
  close(range.from_s, 91);
  assert.ok(on("wheel", { deltaY: -10, shiftKey: true }));
  close(range.from_s, 90);
});

test("wheels that count lines and pages zoom as far, and none by more than half", () => {
  assert.equal(wheelFactor(1, 1), wheelFactor(16, 0));
  close(wheelFactor(50, 0) * wheelFactor(-50, 0), 1);
  assert.ok(wheelFactor(1e9, 2) < 2.1 && wheelFactor(-1e9, 2) > 0.48);
});

test("a drag carries the time along, also before anything is painted", () => {
  const { range, on, did } = plot({ live: true });
  on("pointerdown", { offsetX: 50 });
  for (const offsetX of [52, 60, 70, 20]) on("pointermove", { offsetX });
  close(range.from_s + 0.2 * range.span_s, 95);
  close(range.span_s, 10);
  assert.equal(range.live, false);
  on("pointerup", { offsetX: 20 });
  assert.deepEqual(did, []);
});

test("a drag with shift, or along the time axis, selects what to show", () => {
  for (const how of [{ shiftKey: true }, { offsetY: 95 }]) {
    const { range, on, did } = plot();
    on("pointerdown", { offsetX: 80, ...how });
    on("pointermove", { offsetX: 30, ...how });
    on("pointerup", { offsetX: 30, ...how });
    assert.deepEqual(did, [["select", 98, 93, false], ["select", 98, 93, true]]);
    close(range.from_s, 90);
  }
});

test("a selection that the browser takes away selects nothing", () => {
  const { on, did } = plot();
  on("pointerdown", { offsetX: 80, shiftKey: true });
  on("pointermove", { offsetX: 30 });
  on("pointercancel", { offsetX: 30 });
  assert.equal(did.at(-1).at(-1), false);
});

test("two fingers keep the times that they hold", () => {
  const { range, on } = plot();
  on("pointerdown", { offsetX: 40, pointerId: 1, pointerType: "touch" });
  on("pointerdown", { offsetX: 60, pointerId: 2, pointerType: "touch" });
  on("pointermove", { offsetX: 20, pointerId: 1 });
  on("pointermove", { offsetX: 70, pointerId: 2 });
  close(range.from_s + 0.2 * range.span_s, 94);
  close(range.from_s + 0.7 * range.span_s, 96);
  on("pointerup", { offsetX: 20, pointerId: 1 });
  on("pointermove", { offsetX: 80, pointerId: 2 }); // the one that is left pans on
  close(range.from_s + 0.8 * range.span_s, 96);
});

test("fingers that are too close, or crossed over, change nothing", () => {
  assert.equal(pinched(1, 2, 0.5, 0.51), null);
  assert.equal(pinched(1, 2, 0.6, 0.4), null);
  assert.deepEqual(pinched(1, 2, 0, 1), [1, 2]);
});

test("a click pins a cursor where it was, and a double click goes back to live", () => {
  const { on, did } = plot();
  const click = (timeStamp) => {
    on("pointerdown", { offsetX: 50, timeStamp });
    on("pointerup", { offsetX: 51, timeStamp });
  };
  click(1000);
  click(5000);
  click(5200);
  assert.deepEqual(did, [["pin", 95, false], ["pin", 95, false], ["key", "live"]]);
});

test("a moving pointer is a cursor, which leaves with a mouse and stays after a finger", () => {
  const { on, did } = plot();
  on("pointermove", { offsetX: 25 });
  on("pointerleave", { pointerType: "touch" });
  on("pointerleave", {});
  assert.deepEqual(did, [["point", 0.25], ["point", NaN]]);
});

test("keys do what the help says, and leave the browser its own", () => {
  const { on, did } = plot();
  for (const key of ["ArrowLeft", "]", "+", "-", "Home", "End", " ", "Enter", "Escape"]) assert.ok(on("keydown", { key }), key);
  assert.deepEqual(did.map(([, name]) => name), ["pan", "step", "zoom", "zoom", "oldest", "live", "toggle", "pin", "clear"]);
  for (const event of [{ key: "ArrowDown" }, { key: "Tab" }, { key: "m" }, { key: "+", ctrlKey: true }, { key: "m", metaKey: true }]) {
    assert.equal(on("keydown", event), false);
  }
  assert.deepEqual(keyAction({ key: "ArrowRight", altKey: true, shiftKey: true }), ["step", 10]);
});
