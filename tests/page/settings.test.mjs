import assert from "node:assert/strict";
import test from "node:test";

import { Settings } from "../../trio_mpu/web/static/model/settings.js";

const DEFAULTS = { span: 10, apart: false, unit: "psd" };

test("without an address all is as by default, and nothing is written", () => {
  const settings = new Settings(DEFAULTS, "");
  assert.deepEqual(["span", "apart", "unit"].map((name) => settings.get(name)), [10, false, "psd"]);
  assert.equal(settings.text, "");
});

test("what was chosen is in the address, and comes back from it", () => {
  let changes = 0;
  const settings = new Settings(DEFAULTS, "", () => (changes += 1));
  settings.set("span", Infinity);
  settings.set("apart", true);
  settings.set("unit", "√ &=#");
  settings.set("unit", "√ &=#");
  assert.equal(changes, 3);
  const again = new Settings(DEFAULTS, settings.text);
  assert.deepEqual(["span", "apart", "unit"].map((name) => again.get(name)), [Infinity, true, "√ &=#"]);
  settings.set("apart", false);
  assert.doesNotMatch(settings.text, /apart/);
});

test("what is unknown, or of another type, is left out", () => {
  const settings = new Settings(DEFAULTS, "span=wide&apart=yes&colour=red&unit=");
  assert.deepEqual(["span", "apart", "unit"].map((name) => settings.get(name)), [10, false, ""]);
  assert.equal(settings.get("colour"), undefined);
  assert.equal(new Settings(DEFAULTS, "span=").get("span"), 10);
});

test("those who asked hear of a change, by a choice or by another address", () => {
  const heard = [];
  const settings = new Settings(DEFAULTS, "span=5");
  settings.on("span", (value) => heard.push(value));
  settings.set("span", 30);
  settings.set("span", 30);
  settings.take("span=60");
  settings.take("");
  assert.deepEqual(heard, [30, 60, 10]);
});
