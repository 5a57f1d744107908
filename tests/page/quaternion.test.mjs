import assert from "node:assert/strict";
import test from "node:test";

import { Motion } from "../../trio_mpu/web/static/model/motion.js";
import { anglesOf, multiply, ofAngles, resetYaw, rotate, slerp, turn } from "../../trio_mpu/web/static/model/quaternion.js";

const LEVEL = [1, 0, 0, 0];

function near(found, wanted, within = 1e-9) {
  found.forEach((part, i) => assert.ok(Math.abs(part - wanted[i]) <= within, `${found} is not ${wanted}`));
}

/** Attitudes in all directions, some with x straight up or down. */
function* attitudes() {
  for (const roll of [-179, -90, -20, 0, 45, 90, 180]) {
    for (const pitch of [-90, -89, -30, 0, 60, 89, 90]) {
      for (const yaw of [-170, -90, 0, 10, 135, 180]) yield { roll, pitch, yaw };
    }
  }
}

test("an attitude turns the sensor's axes into the earth's", () => {
  const half = Math.SQRT1_2;
  near(rotate([half, 0, 0, half], [1, 0, 0]), [0, 1, 0]); // a quarter to the left: x points north
  near(rotate([half, half, 0, 0], [0, 1, 0]), [0, 0, 1]); // rolled: y points up
  near(rotate([half, 0, half, 0], [1, 0, 0]), [0, 0, -1]); // pitched: x points down
  near(rotate(LEVEL, [1, 2, 3]), [1, 2, 3]);
});

test("two turns in one are the second of the turned", () => {
  const [a, b, v] = [ofAngles({ roll: 10, pitch: 20, yaw: 30 }), ofAngles({ roll: -70, pitch: 5, yaw: 160 }), [1, -2, 0.5]];
  near(rotate(multiply(a, b), v), rotate(a, rotate(b, v)));
});

test("angles are those of the turns about up, y and x, in this order", () => {
  const { roll, pitch, yaw } = anglesOf(ofAngles({ roll: 10, pitch: 20, yaw: 30 }));
  near([roll, pitch, yaw], [10, 20, 30]);
  const about = (axis, degrees) => {
    const q = [Math.cos((degrees * Math.PI) / 360), 0, 0, 0];
    q[axis] = Math.sin((degrees * Math.PI) / 360);
    return q;
  };
  near(multiply(multiply(about(3, 30), about(2, 20)), about(1, 10)), ofAngles({ roll: 10, pitch: 20, yaw: 30 }));
});

test("the angles of every attitude give it back, also where x points straight up or down", () => {
  for (const angles of attitudes()) {
    const q = ofAngles(angles);
    const again = ofAngles(anglesOf(q));
    for (const v of [[1, 0, 0], [0, 1, 0], [0, 0, 1]]) near(rotate(again, v), rotate(q, v), 1e-6);
    if (Math.abs(angles.pitch) === 90) assert.equal(anglesOf(q).roll, 0);
  }
});

test("after a reset the yaw is counted from there, and the tilt is as before", () => {
  for (const angles of attitudes()) {
    if (Math.abs(angles.pitch) === 90) continue;
    const q = ofAngles(angles);
    const { roll, pitch, yaw } = anglesOf(q);
    const after = anglesOf(resetYaw(q, yaw));
    near([turn(after.roll - roll), after.pitch - pitch, after.yaw], [0, 0, 0], 1e-6);
    near([turn(anglesOf(resetYaw(q, 50)).yaw - (yaw - 50))], [0], 1e-6);
  }
});

test("an angle is given within half a turn either way", () => {
  assert.deepEqual([0, 180, 181, -180, -181, 540, -730].map(turn), [0, 180, -179, 180, 179, 180, -10]);
});

test("between two attitudes lies the shortest turn, at constant speed", () => {
  const [from, to] = [LEVEL, ofAngles({ roll: 0, pitch: 0, yaw: 80 })];
  for (const share of [0, 0.25, 0.5, 1]) near([anglesOf(slerp(from, to, share)).yaw], [80 * share]);
  const other = to.map((part) => -part); // the same attitude
  near([anglesOf(slerp(from, other, 0.5)).yaw], [40]);
  near([anglesOf(slerp(from, ofAngles({ roll: 0, pitch: 0, yaw: 0.5 }), 0.5)).yaw], [0.25]);
  near([Math.hypot(...slerp(from, to, 0.3))], [1]);
});

test("a steady turn is drawn steadily, one delivery late, whatever comes in one write", () => {
  const motion = new Motion();
  assert.equal(motion.at(0), null);
  const speed = 60; // °/s
  const drawn = [];
  for (let tick = 0; tick < 200; tick += 1) {
    const now_s = tick / 100;
    if (tick % 4 === 0) {
      // Two events in each write, 20 ms apart.
      for (const t_s of [now_s - 0.02, now_s]) motion.note(ofAngles({ roll: 0, pitch: 0, yaw: speed * t_s }), now_s);
    }
    if (tick > 20) drawn.push(anglesOf(motion.at(now_s)).yaw - speed * (now_s - 0.04));
  }
  near(drawn, drawn.map(() => 0), 1e-3);
  assert.equal(motion.ended(1.97), false);
  assert.equal(motion.ended(2.01), true);
  near([anglesOf(motion.at(9)).yaw], [turn(speed * 1.96)]);
});

test("after a pause the board does not spin to where it is", () => {
  const motion = new Motion();
  motion.note(LEVEL, 1);
  motion.note(ofAngles({ roll: 0, pitch: 0, yaw: 90 }), 9);
  near([anglesOf(motion.at(9)).yaw], [90]);
});
