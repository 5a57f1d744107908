import assert from "node:assert/strict";
import test from "node:test";

import { COLUMN_S, COUNT, Columns, WINDOW_S } from "../../trio_mpu/web/static/columns.js";

/** The middle of a slice: no rounding puts it into another. */
const at = (number) => (number + 0.5) * COLUMN_S;

function slices(columns) {
  const found = [];
  columns.each((age, first, least, greatest, last, broken) => found.push({ age, first, least, greatest, last, broken }));
  return found;
}

test("a slice has the first, least, greatest and last of its values", () => {
  const columns = new Columns();
  for (const value of [2, 5, -3, 1]) columns.add(at(1000), value, false);
  assert.deepEqual(slices(columns), [{ age: 0, first: 2, least: -3, greatest: 5, last: 1, broken: false }]);
});

test("slices come oldest first, with their age, and without those that nothing fell into", () => {
  const columns = new Columns();
  for (const number of [1000, 1001, 1005]) columns.add(at(number), number, false);
  assert.deepEqual(slices(columns).map(({ age, last }) => [age, last]), [[5, 1000], [4, 1001], [0, 1005]]);
  assert.equal(columns.newest, 1005);
});

test("what is older than the window is gone", () => {
  const columns = new Columns();
  columns.add(at(1000), 1, false);
  columns.add(at(1000 + COUNT - 1), 2, false);
  assert.deepEqual(slices(columns).map(({ age }) => age), [COUNT - 1, 0]);
  columns.add(at(1000 + COUNT), 3, false);
  assert.deepEqual(slices(columns).map(({ last }) => last), [2, 3]);
});

test("at 1,000 Hz the window is full, and no peak is missing", () => {
  const columns = new Columns();
  for (let n = 0; n < 12_000; n += 1) columns.add(5000 + n / 1000, n === 9_003 ? 16 : Math.sin(n), false);
  const found = slices(columns);
  assert.equal(found.length, COUNT);
  assert.equal(Math.max(...found.map(({ greatest }) => greatest)), 16);
  assert.equal(found.filter(({ greatest }) => greatest === 16).length, 1);
  assert.equal(WINDOW_S, 10);
});

test("a break marks its slice, and the next value in it does not take the mark away", () => {
  const columns = new Columns();
  columns.add(at(1000), 1, false);
  columns.add(at(1001), 2, true);
  columns.add(at(1001), 3, false);
  columns.add(at(1002), 4, false);
  assert.deepEqual(slices(columns).map(({ broken }) => broken), [false, true, false]);
});

test("a place that is used again has nothing of its old slice", () => {
  const columns = new Columns();
  columns.add(at(1000), 9, true);
  columns.add(at(1000 + COUNT), 1, false);
  assert.deepEqual(slices(columns), [{ age: 0, first: 1, least: 1, greatest: 1, last: 1, broken: false }]);
});

test("a step back in time is another clock: what was there is dropped", () => {
  const columns = new Columns();
  columns.add(at(1000), 1, false);
  columns.add(at(900), 2, false);
  columns.add(at(1001), 3, false);
  assert.deepEqual(slices(columns).map(({ age, last }) => [age, last]), [[101, 2], [0, 3]]);
});

test("the first seconds after a start of the clock have columns too", () => {
  const columns = new Columns();
  columns.add(at(0), 1, false);
  columns.add(at(3), 2, false);
  assert.deepEqual(slices(columns).map(({ age, last }) => [age, last]), [[3, 1], [0, 2]]);
});

test("cleared or new, it has nothing", () => {
  const columns = new Columns();
  assert.deepEqual(slices(columns), []);
  columns.add(at(1000), 1, false);
  columns.clear();
  assert.deepEqual(slices(columns), []);
  assert.ok(Number.isNaN(columns.newest));
});
