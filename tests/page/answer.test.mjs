import assert from "node:assert/strict";
import test from "node:test";

import { ask } from "../../trio_mpu/web/static/net/answer.js";
import { response, server } from "./browser.mjs";

test("a good answer has its object and no reason", async () => {
  const asked = server(() => response(200, { seq: 7 }));
  assert.deepEqual(await ask("http://board/json"), { reached: true, ok: true, body: { seq: 7 }, reason: "", retryAfter_s: 0 });
  assert.deepEqual(asked, ["http://board/json"]);
});

test("a refusal has the server's reason, and when to come again", async () => {
  server(() => response(503, { reason: "no sample yet" }, { "Retry-After": "2" }));
  assert.deepEqual(await ask("/"), { reached: true, ok: false, body: { reason: "no sample yet" }, reason: "no sample yet", retryAfter_s: 2 });
});

test("a refusal without a reason, or not in JSON, is named by its status", async () => {
  for (const body of [{}, "<html>"]) {
    server(() => response(502, body, { "Retry-After": "soon" }));
    const { reached, ok, reason, retryAfter_s } = await ask("/");
    assert.deepEqual([reached, ok, retryAfter_s], [true, false, 0]);
    assert.match(reason, /502/);
  }
});

test("no answer is an answer too", async () => {
  server(() => { throw new TypeError("network"); });
  const { reached, ok, body, reason } = await ask("/");
  assert.deepEqual([reached, ok, body], [false, false, null]);
  assert.match(reason, /does not answer/);
});

test("a body that breaks off is no answer", async () => {
  server(() => ({ ...response(200, {}), json: async () => { throw new SyntaxError("cut"); } }));
  assert.equal((await ask("/")).reached, false);
});

test("a server that never answers is given up", async (context) => {
  const timer = globalThis.setTimeout;
  context.after(() => { globalThis.setTimeout = timer; });
  let patience_ms = NaN;
  globalThis.setTimeout = (callback, ms) => {
    patience_ms = ms;
    queueMicrotask(callback);
  };
  server((_, { signal }) => new Promise((_resolve, reject) => { signal.onabort = () => reject(signal.reason); }));
  assert.equal((await ask("/")).reached, false);
  assert.ok(patience_ms > 0 && patience_ms <= 5000);
});

test("a request is ended as soon as its outcome is known", async () => {
  let its = null;
  server((_, { signal }) => {
    its = signal;
    return response(200, "a stream that goes on");
  });
  assert.equal((await ask("/")).body, null);
  assert.ok(its.aborted);
});
