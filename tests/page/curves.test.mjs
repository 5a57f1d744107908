import assert from "node:assert/strict";
import test from "node:test";

import { CLIPPED, CLOCK_STEP, LIFTED, REPEATED } from "../../trio_mpu/web/static/model/bins.js";
import { Curves } from "../../trio_mpu/web/static/view/curves.js";

const [WIDTH, HEIGHT] = [200, 100];
const STRIP = { top: 0, bottom: HEIGHT, scale: { low: -1, high: 1 } };

globalThis.Path2D = class {
  steps = [];
  moveTo(x, y) {
    this.steps.push(["move", x, y]);
  }
  lineTo(x, y) {
    this.steps.push(["line", x, y]);
  }
};

/** A sheet that writes down what is drawn on it. */
function sheet() {
  const drawn = { rects: [], lines: [], moved: 0, cleared: [] };
  const g = {
    save() {}, restore() {}, beginPath() {}, rect() {}, clip() {}, translate() {},
    clearRect: (x, _y, width) => drawn.cleared.push([x, x + width]),
    fillRect: (x, y, width, height) => drawn.rects.push({ x, y, width, height, ink: g.fillStyle }),
    stroke: (path) => drawn.lines.push(path.steps),
    drawImage: (_sheet, x) => (drawn.moved += x),
  };
  const curves = new Curves({ getContext: () => g });
  curves.resize(WIDTH, HEIGHT, 1);
  return { curves, drawn };
}

/** A series of bins: [t0_s, t1_s, least, greatest, flags]. */
function seriesOf(bins) {
  return {
    each(_axis, from_s, to_s, _count, visit) {
      for (const [t0_s, t1_s, least, greatest, flags = 0] of bins) {
        if (t0_s >= from_s && t0_s < to_s) visit(t0_s, t1_s, least, least, greatest, greatest, (least + greatest) / 2, 2, flags);
      }
    },
  };
}

function draw(curves, bins, { origin = 0, k = 10, dash = 0, fresh = false } = {}) {
  const strip = { ...STRIP, axes: [{ key: "ax", ink: "red", dash }] };
  curves.draw(seriesOf(bins), { k, origin, margin_s: 1 }, [strip], { alarm: "alarm", muted: "muted", ink: "ink" }, fresh);
}

const y = (value) => HEIGHT / 2 - (value * HEIGHT) / 2;

test("every extreme is inked, at its place and its value", () => {
  const { curves, drawn } = sheet();
  const bins = Array.from({ length: 400 }, (_, i) => [i * 0.05, i * 0.05 + 0.05, Math.sin(i * 7) * 0.5 - 0.5, Math.sin(i * 3) * 0.5 + 0.5]);
  bins[123][3] = 0.999; // one sample
  draw(curves, bins);
  for (const [t0_s, , least, greatest] of bins) {
    const inked = (value) => drawn.rects.some(({ x, y: top, width, height }) => {
      const at = Math.floor(t0_s * 10);
      return x <= at && at < x + width && top <= y(value) && y(value) <= top + height;
    });
    assert.ok(inked(least) && inked(greatest), `the bin at ${t0_s} s`);
  }
});

test("a bin is at least a pixel wide, and bins side by side leave no pixel out", () => {
  const { curves, drawn } = sheet();
  draw(curves, Array.from({ length: 60 }, (_, i) => [i / 3, (i + 1) / 3, -0.1, 0.1]));
  const edges = drawn.rects.map(({ x, width }) => [x, x + width]);
  for (let i = 1; i < edges.length; i += 1) assert.equal(edges[i][0], edges[i - 1][1]);
  const narrow = sheet();
  draw(narrow.curves, [[1, 1.0001, -0.1, 0.1]]);
  assert.equal(narrow.drawn.rects[0].width, 1);
});

test("the pen is lifted at a gap, and before a value that is none", () => {
  const { curves, drawn } = sheet();
  draw(curves, [[1, 1, 0, 0], [2, 2, 0, 0], [5, 5, 0, 0, LIFTED], [6, 6, NaN, NaN], [7, 7, 0, 0]]);
  const lines = drawn.lines[0].filter(([what, , at]) => what === "line" && at === y(0)).map(([, x]) => x);
  assert.deepEqual(lines, [10.5, 20, 50.5, 70.5]); // 10 to 20 joined, the others dots
});

test("dashes have the paper's rhythm wherever the window is", () => {
  const inked = (origin) => {
    const { curves, drawn } = sheet();
    draw(curves, Array.from({ length: 90 }, (_, i) => [i / 2.9, i / 2.9, 0, 0]), { origin, dash: 1 });
    const columns = new Set();
    let from = 0;
    for (const [what, x] of drawn.lines[0]) {
      if (what === "line") for (let c = Math.ceil(from); c < x; c += 1) columns.add(c + origin);
      from = x;
    }
    return columns;
  };
  const [a, b] = [inked(20), inked(29)];
  for (let column = 60; column < 200; column += 1) {
    assert.equal(a.has(column), column % 11 < 7, `${column}`);
    assert.equal(b.has(column), a.has(column), `${column}`);
  }
});

test("a window that moves on draws only what is new", () => {
  const { curves, drawn } = sheet();
  const bins = Array.from({ length: 30 }, (_, i) => [i, i + 1, -0.1, 0.1]);
  draw(curves, bins.slice(0, 20));
  const before = drawn.rects.length;
  draw(curves, bins.slice(0, 22), { origin: 20 });
  assert.equal(drawn.moved, -20);
  assert.deepEqual(drawn.cleared.at(-1), [168, 200]); // from the newest bin, which may have grown
  assert.deepEqual(drawn.rects.slice(before).map(({ x }) => x), [160, 170, 180, 190]);
});

test("what lay beyond the right edge is drawn when it comes in", () => {
  const { curves, drawn } = sheet();
  const bins = Array.from({ length: 300 }, (_, i) => [i / 10, (i + 1) / 10, -0.1, 0.1]);
  draw(curves, bins);
  const before = drawn.rects.length;
  draw(curves, bins, { origin: 5 });
  assert.ok(drawn.cleared.at(-1)[0] <= 195);
  for (let x = 195; x < 200; x += 1) assert.ok(drawn.rects.slice(before).some((rect) => rect.x <= x && x < rect.x + rect.width));
});

test("a window that moves back, or another scale of time, is drawn anew", () => {
  const { curves, drawn } = sheet();
  const bins = Array.from({ length: 30 }, (_, i) => [i, i + 1, -0.1, 0.1]);
  draw(curves, bins, { origin: 50 });
  for (const [origin, k, fresh] of [[40, 10, false], [40, 11, false], [40, 11, true], [1000, 11, false]]) {
    draw(curves, bins, { origin, k, fresh });
    assert.deepEqual(drawn.cleared.at(-1), [0, 200], `${origin} ${k}`);
  }
});

test("clipped and repeated samples and steps of the clock are marked and remembered", () => {
  const { curves, drawn } = sheet();
  assert.equal(curves.seen(CLIPPED), -Infinity);
  draw(curves, [[1, 2, 0, 0, CLIPPED], [3, 4, 0, 0, REPEATED], [5, 6, 0, 0, CLOCK_STEP]]);
  const marks = drawn.rects.filter(({ ink }) => ink !== "red").map(({ ink, x, y: top }) => [ink, x, top]);
  assert.deepEqual(marks, [["alarm", 10, 0], ["muted", 30, HEIGHT - 4], ["ink", 50, 0]]);
  assert.deepEqual([CLIPPED, REPEATED, CLOCK_STEP].map((flag) => curves.seen(flag)), [2, 4, 6]);
});
