import assert from "node:assert/strict";
import test from "node:test";

import { KEY, MAX_MARKS, MAX_TEXT, Marks } from "../../trio_mpu/web/static/model/marks.js";

/** A storage as browsers have it; `isFull` refuses what is written. */
function storage(kept = null) {
  const items = new Map(kept === null ? [] : [[KEY, kept]]);
  return {
    isFull: false,
    getItem: (key) => items.get(key) ?? null,
    setItem(key, value) {
      if (this.isFull) throw new Error("QuotaExceededError");
      items.set(key, value);
    },
  };
}

const tab = (kept) => new Marks(() => kept);
const told = (marks) => marks.all.map(({ wall_s, text }) => [wall_s, text]);

test("marks are in the order of time, whatever the order of adding", () => {
  const marks = tab(storage());
  for (const [wall_s, text] of [[30, "c"], [10, "a"], [20, "b"]]) marks.add(wall_s, text);
  assert.deepEqual(told(marks), [[10, "a"], [20, "b"], [30, "c"]]);
});

test("marks outlive the page: added, edited and removed", () => {
  const kept = storage();
  const before = tab(kept);
  before.add(10, "a");
  before.add(20.123456, "b");
  const [first, second] = before.all;
  before.edit(first, "  new\n text ");
  assert.deepEqual(told(tab(kept)), [[10, "new text"], [20.123456, "b"]]);
  before.remove(second);
  assert.deepEqual(told(tab(kept)), [[10, "new text"]]);
});

test("each change has a version of its own", () => {
  const marks = tab(storage());
  const versions = [marks.version];
  marks.add(1, "");
  const [mark] = marks.all;
  versions.push(marks.version);
  marks.edit(mark, "x");
  versions.push(marks.version);
  marks.remove(mark);
  versions.push(marks.version);
  assert.equal(new Set(versions).size, 4);
});

test("tabs do not overwrite each other", () => {
  const kept = storage();
  const [here, there] = [tab(kept), tab(kept)];
  here.add(1, "here");
  const [mine] = here.all;
  there.add(2, "there");
  here.add(3, "here again");
  assert.deepEqual(told(here), [[1, "here"], [2, "there"], [3, "here again"]]);
  assert.ok(here.all.includes(mine)); // the list on the page can still edit it
  there.reload();
  assert.deepEqual(told(there), told(here));
});

test("what another tab has removed can't be edited or removed again", () => {
  const kept = storage();
  const here = tab(kept);
  here.add(1, "a");
  const [mark] = here.all;
  const there = tab(kept);
  there.remove(there.all[0]);
  here.edit(mark, "b");
  assert.deepEqual(told(tab(kept)), []);
  here.remove(mark);
  assert.deepEqual(told(here), []);
});

test("without a storage marks work, and it is said that they will not be kept", () => {
  const marks = new Marks(() => {
    throw new Error("SecurityError");
  });
  marks.add(1, "a");
  marks.add(2, "b");
  marks.edit(marks.all[0], "c");
  assert.deepEqual(told(marks), [[1, "c"], [2, "b"]]);
  assert.match(marks.note, /keeps no marks/);
});

test("a full storage is said, loses nothing on the page, and is tried again", () => {
  const kept = storage();
  const marks = tab(kept);
  marks.add(1, "a");
  kept.isFull = true;
  marks.add(2, "b");
  assert.match(marks.note, /keeps no marks/);
  marks.reload(); // what another tab wrote must not replace what only this one has
  assert.deepEqual(told(marks), [[1, "a"], [2, "b"]]);
  kept.isFull = false;
  marks.add(3, "c");
  assert.equal(marks.note, "");
  assert.deepEqual(told(tab(kept)), [[1, "a"], [2, "b"], [3, "c"]]);
});

test("there is a most of marks, which is said, until one is removed", () => {
  const marks = tab(storage(JSON.stringify(Array.from({ length: MAX_MARKS }, (_, i) => ({ wall_s: i, text: "" })))));
  marks.add(5000, "one more");
  assert.match(marks.note, /1000 marks are the most/);
  assert.equal(marks.all.length, MAX_MARKS);
  marks.remove(marks.all[0]);
  marks.add(5000, "one more");
  assert.equal(marks.all.at(-1).text, "one more");
  assert.equal(marks.note, "");
});

test("a long text is cut", () => {
  const marks = tab(storage());
  marks.add(1, "x".repeat(5000));
  assert.equal(marks.all[0].text.length, MAX_TEXT);
});

test("what can't be read is left out, counted and said", () => {
  const some = tab(storage('[{"wall_s":1,"text":"a"},{"wall_s":"x","text":"b"},null,{"wall_s":2}]'));
  assert.deepEqual(told(some), [[1, "a"]]);
  assert.match(some.note, /^3 of the marks/);
  for (const kept of ["{", "7", '{"wall_s":1}']) {
    const none = tab(storage(kept));
    assert.deepEqual(told(none), []);
    assert.match(none.note, /^All of the marks/);
  }
});

test("more marks than the most are left out and counted, the oldest first", () => {
  const many = Array.from({ length: MAX_MARKS + 7 }, (_, i) => ({ wall_s: i, text: "" }));
  const marks = tab(storage(JSON.stringify(many)));
  assert.equal(marks.all[0].wall_s, 7);
  assert.match(marks.note, /^7 of the marks/);
});

test("the same mark twice is one", () => {
  const marks = tab(storage());
  marks.add(1, "a");
  marks.add(1, "a");
  marks.reload();
  assert.deepEqual(told(marks), [[1, "a"]]);
});
