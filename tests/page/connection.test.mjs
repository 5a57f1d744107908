import assert from "node:assert/strict";
import test from "node:test";

import { ConnectionView, stateOf } from "../../trio_mpu/web/static/view/connection.js";
import { backoff, refusal } from "../../trio_mpu/web/static/net/stream.js";
import { page, response } from "./browser.mjs";

test("an open stream has the status of its samples; without one the link decides", () => {
  assert.deepEqual(["ok", "stale", "stopped", "waiting"].map((status) => stateOf("open", status)),
    ["live", "stale", "stopped", "waiting"]);
  for (const link of ["connecting", "paused", "offline"]) assert.equal(stateOf(link, "ok"), link);
});

test("an open stream that has said nothing yet is still connecting", () => {
  assert.equal(stateOf("open", null), "connecting");
  assert.equal(stateOf("open", "unheard of"), "connecting");
});

test("the state, its reason and the next attempt are shown", () => {
  const element = page();
  const state = { link: "offline", status: null, reason: "the network is down", retryAt: Date.now() + 4300 };
  const view = new ConnectionView({ state });
  view.paint();
  assert.equal(element("connection").dataset.state, "offline");
  assert.equal(element("connection-word").textContent, "Offline");
  assert.equal(element("connection-reason").textContent, "the network is down");
  assert.equal(element("retry").textContent, "next attempt in 5 s");
  Object.assign(state, { link: "open", status: "ok", reason: "", retryAt: null });
  view.paint();
  assert.equal(element("connection").dataset.state, "live");
  assert.equal(document.documentElement.dataset.state, "live");
  assert.notEqual(element("connection-reason").textContent, "");
  assert.equal(element("retry").textContent, "");
});

test("the wait for the next attempt doubles, is spread, and has a bound", () => {
  for (let failures = 0; failures < 40; failures += 1) {
    const [shortest, middle, longest] = [0, 0.5, 1].map((random) => backoff(failures, random));
    assert.ok(shortest <= middle && middle <= longest && longest <= 5000);
    if (failures < 3) {
      assert.ok(shortest < middle && middle < longest);
      assert.equal(backoff(failures + 1, 0.5), 2 * middle);
    }
  }
});

test("what is no stream has its status and the server's reason; a stream has none", async () => {
  assert.equal(await refusal(response(200, "", { "Content-Type": "text/event-stream" })), null);
  const refused = await refusal(response(401, { reason: "a token is needed" }));
  assert.deepEqual([refused.status, refused.reason], [401, "a token is needed"]);
  assert.equal((await refusal(response(200, {}))).status, 200);
  const cut = { ...response(401, {}), json: async () => { throw new SyntaxError("cut"); } };
  assert.deepEqual([(await refusal(cut)).status, (await refusal(cut)).reason], [0, "the connection was lost"]);
});
