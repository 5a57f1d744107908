import assert from "node:assert/strict";
import test from "node:test";

import { AccountsView, describeGap } from "../../trio_mpu/web/static/view/accounts.js";
import { Ledger } from "../../trio_mpu/web/static/model/ledger.js";
import { page } from "./browser.mjs";

const paint = (ledger, hz) => new AccountsView({ ledger, state: { hz } }).paint();
const event = (seq, gap) => ({ id: `0123456789abcdef-${seq}`, seq, time: 50_000, ...(gap ? { gap } : {}) });

test("a gap is described by its time, its size and its reason", () => {
  const text = describeGap({ reason: "slow", lost: 12_345, from: 7, to: 12_353, time: 50_000 });
  assert.match(text, /^13:53:20: 12,345 /);
  assert.match(text, / lost, slow: .*too slow/);
  assert.match(describeGap({ reason: "device", lost: 1, from: 7, to: 8, time: 0 }), /: 1 (sample|reading)\b/);
});

test("a gap of unknown size and one of an unknown reason are described as such", () => {
  assert.match(describeGap({ reason: "restart", lost: null, from: 7, to: 1, time: 0 }), /unknown number of .*, restart: /);
  assert.match(describeGap({ reason: "comet", lost: 2, from: 7, to: 10, time: 0 }), / lost, comet$/);
});

test("the figures are shown for people and, in plain digits, for programs", () => {
  const element = page();
  const ledger = new Ledger();
  ledger.take(event(1));
  ledger.take(event(5002, { from: 1, to: 5002, lost: 5000, reason: "slow" }));
  ledger.take(event(5002));
  paint(ledger, 99.97);
  assert.deepEqual(["rate", "received", "gaps", "lost"].map((id) => element(id).textContent), ["100.0", "2", "1", "5,000"]);
  assert.match(element("last-gap").textContent, /slow/);
  const { received, repeats, lost, firstSeq, lastId, gaps } = element("accounts").dataset;
  assert.deepEqual([received, repeats, lost, firstSeq, gaps].map(Number), [2, 1, 5000, 1, 1]);
  assert.equal(lastId, "0123456789abcdef-5002");
});

test("a sum that is a lower bound is shown as one", () => {
  const element = page();
  const ledger = new Ledger();
  ledger.take(event(1));
  ledger.take(event(9, { from: 1, to: 9, lost: null, reason: "lapped" }));
  paint(ledger, 0);
  assert.equal(element("lost").textContent, "unknown");
  ledger.take(event(12));
  paint(ledger, 0);
  assert.match(element("lost").textContent, /^≥\s?2$/u);
});

test("before the first sample there is no rate and no id", () => {
  const element = page();
  paint(new Ledger(), null);
  assert.equal(element("rate").textContent, "–");
  assert.equal(element("accounts").dataset.lastId, "");
});
