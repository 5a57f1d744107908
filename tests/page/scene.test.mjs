import assert from "node:assert/strict";
import test from "node:test";

import { ofAngles } from "../../trio_mpu/web/static/model/quaternion.js";
import { project, shapes } from "../../trio_mpu/web/static/model/scene.js";

const at = (roll, pitch, yaw) => shapes(ofAngles({ roll, pitch, yaw }));
const names = (drawn) => drawn.map(({ name }) => name);

test("the camera looks north and down: east is right, far is small, up is up", () => {
  assert.deepEqual([[0, 0, 0], [1, 0, 0], [-2, 0, 0]].map(project), [[0, 0], [1, 0], [-2, 0]]);
  const [far, near, above] = [[1, 1, 0], [1, -1, 0], [1, 0, 1]].map(project);
  assert.ok(far[0] < 1 && far[1] > 0);
  assert.ok(near[0] > 1 && near[1] < 0);
  assert.ok(above[0] > 1 && above[1] > far[1]);
  // A height angle of 27°: what lies a metre north looks as high as what stands half a metre up.
  assert.ok(Math.abs(far[1] / far[0] / (above[1] / above[0]) - Math.tan((27 * Math.PI) / 180)) < 0.01);
});

test("a level board shows its top with chip and pins, and its edge towards the camera", () => {
  const drawn = at(0, 0, 0);
  assert.equal(names(drawn).filter((name) => name === "pin").length, 8);
  assert.deepEqual([...new Set(names(drawn))], ["x", "y", "edge", "top", "pin", "chip", "lid", "z"]);
  assert.ok(drawn.filter(({ name }) => name === "pin").every(({ points }) => points.every(([, y]) => y < 0)));
});

test("a board upside down shows its bottom, and the chip is hidden behind it", () => {
  const order = names(at(180, 0, 0));
  assert.ok(!order.includes("top") && order.includes("bottom") && order.includes("pin"));
  assert.ok(order.lastIndexOf("chip") < order.indexOf("bottom"));
  assert.ok(order.indexOf("z") < order.indexOf("bottom"));
});

test("a board on its edge towards the camera shows its face, one seen edge on its edges only", () => {
  assert.ok(names(at(90, 0, 0)).includes("top")); // y up, z towards the south
  assert.ok(names(at(-90, 0, 0)).includes("bottom"));
  const order = names(at(0, 90, 0)); // x down, z towards the east
  assert.ok(!order.includes("top") && !order.includes("bottom") && !order.includes("pin"));
});

test("an axis that points at the camera is drawn over the board, one that points away under it", () => {
  for (const [yaw, first] of [[-90, false], [90, true]]) {
    const order = names(at(0, 0, yaw)); // x south, x north
    assert.equal(order.indexOf("x") < order.indexOf("top"), first);
  }
});

test("the axes point where the angles say", () => {
  const tip = (drawn, axis) => drawn.find(({ name }) => name === axis).points[1];
  assert.ok(tip(at(0, 0, 0), "x")[0] > 1); // east
  assert.ok(tip(at(0, 0, 180), "x")[0] < -1);
  assert.ok(tip(at(0, 0, 0), "z")[1] > 1);
  assert.ok(tip(at(0, -90, 0), "x")[1] > 1); // nose up
});
