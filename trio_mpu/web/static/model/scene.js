/* The scene: a board above a level ring, seen from the south and from above. The camera stands still, and the board turns
 * about its centre. Lengths are in halves of the board's. */

import { rotate } from "./quaternion.js";

const [AWAY, SINE, COSINE] = [6, 0.45, 0.893]; // the camera's distance, and its height: 27°
const [WIDE, THICK, CHIP, LID] = [0.8, 0.07, 0.22, 0.2]; // half of the board along y and z, of the chip, and its top
const PINS = 8; // as breakout boards have, in a row along the negative side of y
const REACH = 1.5; // of the axes

/** A point (east, north, up) → [right, up] on the screen. */
export function project([e, n, u]) {
  const scale = AWAY / (AWAY + n * COSINE - u * SINE);
  return [e * scale, (n * SINE + u * COSINE) * scale];
}

/** A box's faces −x, +x, −y, +y, −z, +z: the corners of each, counter-clockwise as seen from outside. */
function box(low, high) {
  return [0, 1, 2].flatMap((axis) => [low, high].map((end) => {
    const [b, c] = end === high ? [(axis + 1) % 3, (axis + 2) % 3] : [(axis + 2) % 3, (axis + 1) % 3];
    return [[low, low], [high, low], [high, high], [low, high]].map(([first, second]) => {
      const corner = [...end];
      [corner[b], corner[c]] = [first[b], second[c]];
      return corner;
    });
  }));
}

const BOARD = box([-1, -WIDE, -THICK], [1, WIDE, THICK]);
const ON_IT = box([-CHIP, -CHIP, THICK], [CHIP, CHIP, LID]);
const AXES = [[1, 0, 0], [0, WIDE, 0], [0, 0, LID]].map((from, axis) => [from, from.map((_, i) => (i === axis ? REACH : 0))]);

/** What is to be drawn at the attitude `q`, in this order: { name, points }. Names are top, bottom, edge, chip, lid and pin
 *  for faces, and x, y, z for axes, which are lines. */
export function shapes(q) {
  const drawn = (name, points) => ({ name, points: points.map((point) => project(rotate(q, point))) });
  const board = BOARD.map((face, i) => drawn(["edge", "edge", "edge", "edge", "bottom", "top"][i], face));
  const chip = ON_IT.map((face, i) => drawn(i < 5 ? "chip" : "lid", face)).filter(isSeen);
  const axes = AXES.map((line, i) => drawn("xyz"[i], line));
  const [bottom, top] = board.slice(4).map(isSeen);
  const pins = Array.from({ length: bottom || top ? PINS : 0 }, (_, i) => drawn("pin", [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(
    ([x, y]) => [0.24 * (i - (PINS - 1) / 2) + 0.07 * x, 0.07 * y - 0.66, top ? THICK : -THICK])));
  // What stands on a face hides the board while the face is seen, and is hidden by it else.
  const [front, back] = [true, false].map((seen) => axes.filter((_, i) => isSeen(board[2 * i + 1]) === seen));
  return [...back, ...(top ? [] : chip), ...board.filter(isSeen), ...pins, ...(top ? chip : []), ...front];
}

/** Whether a face is turned towards the camera: its corners go round counter-clockwise. */
function isSeen({ points: [[ax, ay], [bx, by], [cx, cy]] }) {
  return (bx - ax) * (cy - ay) > (by - ay) * (cx - ax);
}
