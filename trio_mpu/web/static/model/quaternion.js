/* Quaternions: attitudes as [w, x, y, z] of length 1, which turn the sensor's axes into the earth's (east, north, up).
 *
 * Angles are in degrees: a turn about up by yaw, then about the new y by pitch, then about the new x by roll (J. Diebel,
 * "Representing Attitude", 2006, has the formulas). Vectors are [x, y, z].
 */

const DEGREE = Math.PI / 180;
const LOCKED = 0.999999; // sine of the pitch from which roll and yaw turn about one axis: within 0.1° of the vertical
const ALIKE = 0.9995; // cosine of half the angle below which the chord is as good as the arc

/** First `b`, then `a`. */
export function multiply([a, b, c, d], [w, x, y, z]) {
  return [
    a * w - b * x - c * y - d * z,
    a * x + b * w + c * z - d * y,
    a * y - b * z + c * w + d * x,
    a * z + b * y - c * x + d * w,
  ];
}

/** The sensor's vector in the earth's axes. */
export function rotate([w, x, y, z], v) {
  return multiply(multiply([w, x, y, z], [0, ...v]), [w, -x, -y, -z]).slice(1);
}

/** The attitude at `share` (0 to 1) of the shortest turn from `a` to `b`, at constant speed (K. Shoemake, 1985). */
export function slerp(a, b, share) {
  const cosine = a.reduce((sum, part, i) => sum + part * b[i], 0);
  let [before, after] = [1 - share, share];
  if (Math.abs(cosine) < ALIKE) {
    const angle = Math.acos(Math.abs(cosine));
    [before, after] = [Math.sin(before * angle), Math.sin(after * angle)];
  }
  if (cosine < 0) after = -after; // q and −q are one attitude: towards the nearer
  const between = a.map((part, i) => before * part + after * b[i]);
  const length = Math.hypot(...between);
  return between.map((part) => part / length);
}

/** { roll, pitch, yaw }. Where x points straight up or down, only roll and yaw together are defined: roll is 0 then. */
export function anglesOf([w, x, y, z]) {
  const sine = 2 * (w * y - z * x);
  if (Math.abs(sine) > LOCKED) {
    const side = Math.sign(sine);
    return { roll: 0, pitch: side * 90, yaw: turn((-2 * side * Math.atan2(x, w)) / DEGREE) };
  }
  return {
    roll: Math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)) / DEGREE,
    pitch: Math.asin(sine) / DEGREE,
    yaw: Math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)) / DEGREE,
  };
}

/** The attitude with these angles. */
export function ofAngles({ roll, pitch, yaw }) {
  const [[cr, sr], [cp, sp], [cy, sy]] = [roll, pitch, yaw].map((angle) => {
    const half = (angle * DEGREE) / 2;
    return [Math.cos(half), Math.sin(half)];
  });
  return multiply([cy, 0, 0, sy], multiply([cp, 0, sp, 0], [cr, sr, 0, 0]));
}

/** `q` where the direction that was `yaw` is called 0. */
export function resetYaw(q, yaw) {
  return multiply(ofAngles({ roll: 0, pitch: 0, yaw: -yaw }), q);
}

/** The same angle between −180 (left out) and 180. */
export function turn(angle) {
  return 180 - ((((180 - angle) % 360) + 360) % 360);
}
