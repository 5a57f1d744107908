import assert from "node:assert/strict";
import test from "node:test";

import { pointsOf, textOf } from "../../trio_mpu/web/static/model/shown.js";

/** A page whose series has these bins: { t_s, ax: [least, mean, greatest, n, flags], … }. */
function page(bins) {
  return {
    range: { from_s: 0, to_s: 10 },
    timeline: { wall_s: (t_s) => 1_764_000_000 + t_s },
    series: {
      each(axis, from_s, to_s, count, visit) {
        assert.deepEqual([from_s, to_s, count], [0, 10, 500]);
        for (const bin of bins) {
          const [least, mean, greatest, n, flags = 0] = bin[axis] ?? [NaN, NaN, NaN, 0];
          visit(bin.t_s, bin.t_s + 1, mean, least, greatest, mean, mean, n, flags);
        }
      },
    },
  };
}

const TWO = page([
  { t_s: 1, ax: [-1, 0.30000001192092896, 1, 10, 3] },
  { t_s: 2, ax: [1, 2, 3, 20], roll: [44, 45, 46, 20, 4 + 8] },
]);
const points = pointsOf(TWO, ["ax", "roll"], 500);
const marks = [[1_764_000_001.5, 'say "x", y'], [1_764_000_001.75, "second"], [1_764_000_009, "after all"]]
  .map(([wall_s, text]) => ({ wall_s, text }));

test("a point has the time of its begin, and least, mean and greatest of each axis that has a value", () => {
  assert.deepEqual(points, [
    { time: 1_764_000_001, n: 10, flags: ["gap", "clipped"], min: { ax: -1 }, mean: { ax: 0.3 }, max: { ax: 1 } },
    { time: 1_764_000_002, n: 20, flags: [], min: { ax: 1, roll: 44 }, mean: { ax: 2, roll: 45 }, max: { ax: 3, roll: 46 } },
  ]);
});

test("CSV has a line for each point, marks in a column of their own, and no comment", () => {
  assert.equal(textOf("csv", points, marks), [
    "time,n,min_ax,mean_ax,max_ax,min_roll,mean_roll,max_roll,flags,mark",
    '1764000001.000000,10,-1,0.3,1,,,,gap+clipped,"say ""x"", y; second"',
    '1764000002.000000,20,1,2,3,44,45,46,,"after all"',
    "",
  ].join("\n"));
});

test("a mark before all points stands with the first", () => {
  const [, first] = textOf("csv", points, [{ wall_s: 5, text: "early" }]).split("\n");
  assert.ok(first.endsWith(',gap+clipped,"early"'));
});

test("NDJSON has points and marks as objects, by time", () => {
  const found = textOf("ndjson", points, marks).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(found, [
    points[0],
    { time: 1_764_000_001.5, mark: 'say "x", y' },
    { time: 1_764_000_001.75, mark: "second" },
    points[1],
    { time: 1_764_000_009, mark: "after all" },
  ]);
});

test("JSON has points and marks", () => {
  const found = JSON.parse(textOf("json", points, marks));
  assert.deepEqual(found.points, points);
  assert.deepEqual(found.marks.map(({ mark }) => mark), marks.map(({ text }) => text));
});

test("marks alone are a file too", () => {
  assert.equal(textOf("csv", [], marks.slice(1, 2)), 'time,mark\n1764000001.750000,"second"\n');
  assert.deepEqual(JSON.parse(textOf("ndjson", [], marks.slice(1, 2))), { time: 1_764_000_001.75, mark: "second" });
});

test("points are in order also where an axis begins later than another", () => {
  const bins = [{ t_s: 1, roll: [0, 0, 0, 1] }, { t_s: 2, ax: [0, 0, 0, 1], roll: [0, 0, 0, 1] }];
  assert.deepEqual(pointsOf(page(bins), ["ax", "roll"], 500).map(({ time }) => time), [1_764_000_001, 1_764_000_002]);
});
