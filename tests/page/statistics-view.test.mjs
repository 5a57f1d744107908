import assert from "node:assert/strict";
import test from "node:test";

import { StatisticsView } from "../../trio_mpu/web/static/view/statistics.js";
import { page as elements } from "./browser.mjs";

const KNOWN = { n: 1000, mean: 1, deviation: NaN, least: -1, greatest: 3, rms: NaN };
const settled = () => new Promise((done) => setImmediate(done));

/** A view of a page with a window of 10 s, and what the page was asked for. */
function opened({ samples = async () => null, known = KNOWN, live = false } = {}) {
  const element = elements();
  document.createElement = () => ({});
  element("statistics-rows").insertRow = () => ({ append() {}, insertCell: () => ({}) });
  const asked = [];
  const page = {
    series: { newest_s: 100, version: 1, statistics: () => known },
    range: { live, from_s: 80, to_s: 90, span_s: 10, version: 1 },
    samples(from_s, to_s, signal) {
      asked.push({ from_s, to_s, signal });
      return samples();
    },
    wake() {},
  };
  const view = new StatisticsView(page);
  const paint = async () => {
    view.paint();
    await settled();
  };
  return { page, paint, asked, of: () => element("statistics-of").textContent, note: () => element("statistics-note").textContent, cell: (id) => element(id).textContent };
}

function samplesOf(n, more = {}) {
  const values = Float32Array.from({ length: n }, (_, i) => (i % 2 ? 2 : 4));
  const axes = Object.fromEntries(["ax", "ay", "az", "gx", "gy", "gz", "temp"].map((axis) => [axis, values]));
  return { t_s: new Float64Array(n), ...axes, cut: false, ...more };
}

test("a window that stands is computed from its samples, once", async () => {
  const view = opened({ samples: async () => samplesOf(1000) });
  await view.paint();
  assert.equal(view.of(), "1,000 samples in 10 s, from the points of the curves");
  assert.equal(view.cell("ax-deviation"), "–");
  for (let i = 0; i < 4; i += 1) await view.paint();
  assert.deepEqual(view.asked.map(({ from_s, to_s }) => [from_s, to_s]), [[80, 90]]);
  assert.equal(view.of(), "1,000 samples in 10 s, from each sample");
  assert.equal(view.cell("ax-mean"), "3.0000");
  assert.equal(view.cell("ax-deviation"), "1.0000");
  assert.equal(view.cell("ax-rms"), "3.1623");
  assert.equal(view.note(), "");
});

test("a window that moves asks for nothing, and says what would help", async () => {
  const view = opened({ live: true });
  for (let i = 0; i < 4; i += 1) {
    view.page.range.version += 1;
    await view.paint();
  }
  assert.deepEqual(view.asked, []);
  assert.match(view.note(), /pause for the rest$/);
});

test("a window into which samples still come does not stand until they end", async () => {
  const view = opened({ samples: async () => samplesOf(1000) });
  view.page.range.to_s = 200;
  for (let i = 0; i < 4; i += 1) {
    view.page.series.newest_s += 1;
    await view.paint();
  }
  assert.deepEqual(view.asked, []);
  await view.paint();
  assert.equal(view.asked.length, 1);
});

test("the answer for a window that was left is not shown for the next one", async () => {
  let answer;
  const view = opened({ samples: () => new Promise((done) => (answer = done)) });
  await view.paint();
  await view.paint();
  view.page.range.version += 1;
  answer(samplesOf(1000));
  await settled();
  await view.paint();
  assert.match(view.of(), /points of the curves/);
  await view.paint();
  assert.ok(view.asked[0].signal.aborted);
  assert.equal(view.asked.length, 2);
});

for (const [what, samples] of [
  ["that are cut", async () => samplesOf(1000, { cut: true })],
  ["that are not kept", async () => samplesOf(0)],
  ["that can't be had", async () => Promise.reject(new Error("unavailable"))],
]) {
  test(`without samples, as those ${what}, the points of the curves stay`, async () => {
    const view = opened({ samples });
    for (let i = 0; i < 4; i += 1) await view.paint();
    assert.equal(view.asked.length, 1);
    assert.match(view.of(), /points of the curves/);
    assert.equal(view.note(), "– only means are known of some of this time");
  });
}

test("fewer samples than the curves know of are not passed off as all", async () => {
  const view = opened({ samples: async () => samplesOf(1500), known: { ...KNOWN, n: 3000 } });
  for (let i = 0; i < 4; i += 1) await view.paint();
  assert.match(view.of(), /^3,000 samples .* points of the curves/);
});

test("more samples than a page can read are not asked for", async () => {
  const view = opened({ known: { ...KNOWN, n: 200_001 } });
  for (let i = 0; i < 4; i += 1) await view.paint();
  assert.deepEqual(view.asked, []);
  assert.match(view.note(), /zoom in for the rest$/);
});

test("nothing is no samples, and no number", async () => {
  const view = opened({ known: null });
  await view.paint();
  assert.equal(view.of(), "no samples");
  assert.equal(view.cell("temp-mean"), "–");
  assert.equal(view.note(), "");
});
