import assert from "node:assert/strict";
import test from "node:test";

import { Silence } from "../../trio_mpu/web/static/net/silence.js";
import { page, response, server } from "./browser.mjs";

const STEP_MS = 10_000; // longer than any patience

/** A silence with a server that gives `answers`, one a request; `verdicts` is what has been found. */
function quiet(...answers) {
  page();
  const asked = server(() => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  });
  const verdicts = [];
  const silence = new Silence({
    isNew: ({ seq }) => seq > 7,
    onWaiting: (reason) => verdicts.push(["waiting", reason]),
    onStatus: ({ status }) => verdicts.push(["status", status]),
    onUnanswered: () => verdicts.push(["unanswered"]),
    onDead: () => verdicts.push(["dead"]),
  });
  silence.broken(0);
  return { silence, asked, verdicts, dead: () => verdicts.filter(([verdict]) => verdict === "dead").length };
}

const newer = () => response(200, { seq: 8, status: "ok" });
const same = () => response(200, { seq: 7, status: "stale" });
const nobody = () => new TypeError("network");

test("as long as the stream speaks the server is not asked", async () => {
  const { silence, asked } = quiet();
  for (let now_ms = 0; now_ms < 60_000; now_ms += 500) {
    silence.broken(now_ms);
    await silence.listen(now_ms + 100);
  }
  assert.deepEqual(asked, []);
});

test("a quiet sensor is not a dead stream: its status is shown", async () => {
  const { silence, asked, verdicts } = quiet(same(), same(), same());
  for (const n of [1, 2, 3]) await silence.listen(n * STEP_MS);
  assert.deepEqual(asked, Array(3).fill("http://board:3737/json"));
  assert.deepEqual(verdicts, Array(3).fill(["status", "stale"]));
});

test("before the first sample the answer says what is waited for", async () => {
  const { silence, verdicts } = quiet(response(503, { reason: "no sample yet" }));
  await silence.listen(STEP_MS);
  assert.deepEqual(verdicts, [["waiting", "no sample yet"]]);
});

test("a stream is dead when the server has newer samples twice, and not before", async () => {
  const { silence, dead } = quiet(newer(), newer());
  await silence.listen(STEP_MS);
  assert.equal(dead(), 0);
  await silence.listen(2 * STEP_MS);
  assert.equal(dead(), 1);
});

test("a connection is dead when nobody answers twice, and not before", async () => {
  const { silence, dead } = quiet(nobody(), nobody());
  await silence.listen(STEP_MS);
  assert.equal(dead(), 0);
  await silence.listen(2 * STEP_MS);
  assert.equal(dead(), 1);
});

test("a suspicion is forgotten when the stream speaks or the server has nothing newer", async () => {
  const spoken = quiet(newer(), newer());
  await spoken.silence.listen(STEP_MS);
  spoken.silence.broken(STEP_MS + 1);
  await spoken.silence.listen(3 * STEP_MS);
  assert.equal(spoken.dead(), 0);
  const answered = quiet(nobody(), same(), newer());
  for (const n of [1, 2, 3]) await answered.silence.listen(n * STEP_MS);
  assert.equal(answered.dead(), 0);
});

test("an answer that comes after the stream has spoken does not count", async () => {
  const { silence, verdicts } = quiet(same());
  const listening = silence.listen(STEP_MS);
  silence.broken(STEP_MS + 1);
  await listening;
  assert.deepEqual(verdicts, []);
});

test("one request at a time, and not many after each other", async () => {
  const { silence, asked } = quiet(same(), same());
  await Promise.all([silence.listen(STEP_MS), silence.listen(STEP_MS + 5000)]);
  assert.equal(asked.length, 1);
  await silence.listen(STEP_MS + 10);
  assert.equal(asked.length, 1);
});
