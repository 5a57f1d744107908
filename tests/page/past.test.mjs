import assert from "node:assert/strict";
import test from "node:test";

import { Range } from "../../trio_mpu/web/static/model/range.js";
import { Series } from "../../trio_mpu/web/static/model/series.js";
import { Point } from "../../trio_mpu/web/static/model/point.js";
import { RawSamples } from "../../trio_mpu/web/static/model/raw.js";
import { Timeline } from "../../trio_mpu/web/static/model/timeline.js";
import { Filler } from "../../trio_mpu/web/static/net/filler.js";
import { readPoints, readSamples, samplesOf } from "../../trio_mpu/web/static/net/past.js";
import { page, server } from "./browser.mjs";
import { WALL_S, event } from "./streams.mjs";

function timeline() {
  const made = new Timeline();
  made.note(event(1, 1000));
  return made;
}

const values = { ax: 1, ay: 2, az: 3, gx: 4, gy: 5, gz: 6, temp: 7 };
const answer = (body, status = 200) => new Response(typeof body === "string" ? body : JSON.stringify(body), {
  status, headers: { "Content-Type": "application/json", "Ring-Generation": "00ff" },
});
const settled = () => new Promise((done) => setImmediate(done));

test("points are asked for by the wall clock, and come on the timeline", async () => {
  page();
  const point = { time: WALL_S + 995, n: 3, min: values, mean: values, max: values, gaps: 0, lost: 0 };
  const asked = server(() => answer({ window_s: 0.5, points: [point] }));
  const points = await readPoints(timeline(), { from_s: 990, to_s: 1000, count: 20 });
  assert.deepEqual(asked, [`http://board:3737/history?points=20&from=${WALL_S + 990}.000000&to=${WALL_S + 1000}.000000`]);
  assert.deepEqual([points.begin_s, points.width_s], [995, 0.5]);
  await readPoints(timeline(), { from_s: -Infinity, to_s: 1000, count: 20 });
  assert.doesNotMatch(asked[1], /from=/);
});

test("a refusal has the server's reason", async () => {
  page();
  server(() => answer({ reason: "the store is being made" }, 503));
  await assert.rejects(readPoints(timeline(), { from_s: 0, to_s: 1, count: 2 }), /^Error: the store is being made$/);
  await assert.rejects(readSamples(timeline(), { from_s: 0, to_s: 1 }), /being made/);
});

const HEAD = "seq,time,t_ns,ax,ay,az,gx,gy,gz,temp,flags,lost,source\n";
const line = (seq, t_s, { lost = 0, flags = "", wall_s = WALL_S + t_s } = {}) => `${seq},${wall_s},${t_s * 1e9},${seq},2,3,4,5,6,7,${flags},${lost},"sim, so"\n`;

test("rows become arrays, and say where a sample does not follow its predecessor", () => {
  const csv = HEAD + line(5, 1) + line(6, 2) + line(9, 3) + line(10, 4, { lost: 2, flags: "clipped+device_gap" }) + line(11, 5);
  const samples = samplesOf(csv, timeline());
  assert.deepEqual([...samples.t_s], [1, 2, 3, 4, 5]);
  assert.deepEqual([...samples.ax], [5, 6, 9, 10, 11]);
  assert.deepEqual([...samples.broken], [0, 0, 1, 1, 0]);
  assert.equal(samples.cut, false);
  assert.equal(samplesOf(HEAD, timeline()).t_s.length, 0);
});

test("samples of another boot stand by their wall clock", () => {
  const samples = samplesOf(HEAD + line(5, 77, { wall_s: WALL_S + 900 }), timeline());
  assert.deepEqual([...samples.t_s], [900]);
});

test("samples are asked for with both ends of their time", async () => {
  page();
  const asked = server(() => answer(HEAD + line(5, 999)));
  const samples = await readSamples(timeline(), { from_s: 990, to_s: 1000 });
  const query = new URL(asked[0]).searchParams;
  assert.deepEqual([query.get("format"), query.get("to"), query.get("seconds")], ["csv", `${WALL_S + 1000}.000001`, "10.000002"]);
  assert.deepEqual([samples.generation, samples.t_s.length], ["00ff", 1]);
});

function filling() {
  const parts = { series: new Series(new RawSamples()), timeline: timeline(), range: new Range(10) };
  const point = new Point();
  point.take(event(1, 1000));
  parts.series.add(1000, point);
  parts.range.follow(1000, 1000);
  let changes = 0;
  return { ...parts, filler: new Filler(parts, () => (changes += 1)), changes: () => changes };
}

test("what is on screen and not known is asked for, once", async () => {
  page();
  const asked = server(() => answer({ window_s: 0.01, points: [] }));
  const { filler, changes } = filling();
  filler.look(0);
  filler.look(0);
  assert.equal(filler.isAsking, true);
  await settled();
  filler.look(0);
  assert.deepEqual([asked.length, changes(), filler.isAsking], [1, 1, false]);
});

test("after a refusal it waits, and says why", async () => {
  page();
  const asked = server(() => answer({ reason: "busy" }, 503));
  const { filler } = filling();
  filler.look(performance.now());
  await settled();
  filler.look(performance.now());
  assert.deepEqual([asked.length, filler.reason], [1, "busy"]);
  filler.look(performance.now() + 6000);
  assert.equal(asked.length, 2);
  filler.stop();
});

test("everything is asked for from the oldest on", async () => {
  page();
  const asked = server(() => answer({ window_s: 1, points: [] }));
  const { filler, range } = filling();
  range.setSpan(Infinity);
  for (let n = 0; n < 5; n += 1) {
    filler.look(0);
    await settled();
  }
  assert.equal(asked.length, 2); // then the last second more finely
  assert.doesNotMatch(asked[0], /from=/);
});

test("an answer that nobody waits for any more changes nothing", async () => {
  page();
  server(() => answer({ window_s: 1, points: [] }));
  const { filler, changes } = filling();
  filler.look(0);
  filler.stop();
  await settled();
  assert.equal(changes(), 0);
});
