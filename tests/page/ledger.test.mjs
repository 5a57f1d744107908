import assert from "node:assert/strict";
import test from "node:test";

import { Ledger } from "../../trio_mpu/web/static/model/ledger.js";

const event = (seq, { generation = "0123456789abcdef", ...more } = {}) => ({ id: `${generation}-${seq}`, seq, time: 1000 + seq, ...more });
const figures = ({ received, repeats, gaps, lost, lostIsAtLeast }) => ({ received, repeats, gaps, lost, lostIsAtLeast });

test("samples that follow each other are received", () => {
  const ledger = new Ledger();
  assert.equal(ledger.lastId, null);
  assert.deepEqual([7, 8, 9].map((seq) => ledger.take(event(seq)).verdict), ["next", "next", "next"]);
  assert.deepEqual(figures(ledger), { received: 3, repeats: 0, gaps: 0, lost: 0, lostIsAtLeast: false });
  assert.equal(ledger.firstSeq, 7);
  assert.equal(ledger.lastId, event(9).id);
  assert.equal(ledger.lastGap, null);
});

test("what comes again is a repeat, and changes nothing else", () => {
  const ledger = new Ledger();
  for (const seq of [7, 8]) ledger.take(event(seq));
  assert.deepEqual([8, 7, 1].map((seq) => ledger.take(event(seq)).verdict), ["repeat", "repeat", "repeat"]);
  assert.deepEqual(figures(ledger), { received: 2, repeats: 3, gaps: 0, lost: 0, lostIsAtLeast: false });
  assert.equal(ledger.lastId, event(8).id);
  assert.equal(ledger.take(event(9)).verdict, "next");
});

test("a gap that the server reports is counted by its size", () => {
  const ledger = new Ledger();
  ledger.take(event(7));
  const gap = { from: 7, to: 18, lost: 10, reason: "slow" };
  assert.equal(ledger.take(event(18, { gap })).verdict, "after gap");
  assert.deepEqual(figures(ledger), { received: 2, repeats: 0, gaps: 1, lost: 10, lostIsAtLeast: false });
  assert.deepEqual(ledger.lastGap, { ...gap, time: 1018 });
});

test("readings that the sensor did not deliver are a loss, though no number is missing", () => {
  const ledger = new Ledger();
  ledger.take(event(7));
  assert.equal(ledger.take(event(8, { gap: { from: 7, to: 8, lost: 3, reason: "device" } })).verdict, "after gap");
  assert.equal(ledger.lost, 3);
});

test("a jump that the server does not mention counts as well", () => {
  const ledger = new Ledger();
  ledger.take(event(7));
  assert.equal(ledger.take(event(11)).verdict, "after gap");
  assert.deepEqual(figures(ledger), { received: 2, repeats: 0, gaps: 1, lost: 3, lostIsAtLeast: false });
  assert.equal(ledger.lastGap.reason, "untold");
  assert.equal(ledger.lastGap.lost, 3);
});

test("a loss of unknown size makes the sum a lower bound, for good", () => {
  const ledger = new Ledger();
  ledger.take(event(7));
  ledger.take(event(10, { gap: { from: 7, to: 10, lost: 2, reason: "lapped" } }));
  ledger.take(event(1, { generation: "fedcba9876543210", gap: { from: 10, to: 1, lost: null, reason: "restart" } }));
  assert.deepEqual(figures(ledger), { received: 3, repeats: 0, gaps: 2, lost: 2, lostIsAtLeast: true });
  assert.equal(ledger.lastGap.lost, null);
  ledger.take(event(4, { generation: "fedcba9876543210" }));
  assert.deepEqual([ledger.lost, ledger.lostIsAtLeast], [4, true]);
});

test("another generation is a gap of its own, also when the server does not mention it", () => {
  const ledger = new Ledger();
  ledger.take(event(700));
  assert.equal(ledger.take(event(3, { generation: "fedcba9876543210" })).verdict, "after gap");
  assert.deepEqual([ledger.lastGap.reason, ledger.lostIsAtLeast], ["restart", true]);
  assert.equal(ledger.take(event(4, { generation: "fedcba9876543210" })).verdict, "next");
});

test("an event is new as long as the ledger has not had it", () => {
  const ledger = new Ledger();
  assert.ok(ledger.isNew(event(1)));
  ledger.take(event(7));
  assert.deepEqual([6, 7, 8].map((seq) => ledger.isNew(event(seq))), [false, false, true]);
  assert.ok(ledger.isNew(event(1, { generation: "fedcba9876543210" })));
});

test("received and lost add up to the numbers from the first to the newest", () => {
  const ledger = new Ledger();
  let seq = 100;
  for (let n = 0; n < 2000; n += 1) {
    const step = n % 7 === 3 ? 1 + (n % 5) : 1;
    const gap = step > 1 && n % 2 ? { gap: { from: seq, to: seq + step, lost: step - 1, reason: "slow" } } : {};
    seq += step;
    ledger.take(event(seq, gap));
    if (n % 11 === 0) ledger.take(event(seq - 1));
  }
  assert.equal(ledger.received, 2000);
  assert.ok(ledger.lost > 100);
  assert.equal(ledger.received + ledger.lost, seq - ledger.firstSeq + 1);
});

test("an event of several samples counts as so many, and balances like them", () => {
  const ledger = new Ledger();
  assert.equal(ledger.take(event(20, { n: 14 })).verdict, "next");
  assert.deepEqual([ledger.firstSeq, ledger.received], [7, 14]);
  assert.equal(ledger.take(event(40, { n: 20 })).verdict, "next");
  assert.equal(ledger.take(event(60, { n: 15, gap: { from: 42, to: 48, lost: 5, reason: "slow" } })).verdict, "after gap");
  assert.equal(ledger.take(event(80, { n: 18 })).gap.reason, "untold");
  assert.deepEqual(figures(ledger), { received: 67, repeats: 0, gaps: 2, lost: 7, lostIsAtLeast: false });
  assert.equal(ledger.received + ledger.lost, 80 - ledger.firstSeq + 1);
  ledger.skip("slept", 60);
  assert.equal(ledger.take(event(200, { n: 3 })).verdict, "skipped");
  assert.deepEqual([ledger.skipped, ledger.lastSkip.from, ledger.lastSkip.to], [117, 80, 198]);
});
