/* The past, from /history: points of a long time, or every sample of a short one. Times go by the board's wall clock. */

import { LIFTED } from "../model/bins.js";
import { MEASURED } from "../model/axes.js";
import { Points } from "../model/points.js";
import { answerOf } from "./answer.js";

/** The most samples read at a time: 3 minutes at 1,000 Hz, 25 MB on the way before compression. */
export const MAX_ROWS = 200_000;
const SAME_CLOCK_S = 1; // times that differ by more are those of a boot before this one, or of a clock set since

/** The points of the time from `from_s` to `to_s` on the timeline (-Infinity: from the oldest), about `count` of them.
 *  Rejects with the server's reason. */
export async function readPoints(timeline, { from_s, to_s, count }, signal) {
  // A `from` before the oldest sample would make windows of the time in which there are none.
  const begin = from_s === -Infinity ? {} : { from: decimal(Math.max(0, timeline.wall_s(from_s))) };
  const query = { points: count, ...begin, to: decimal(timeline.wall_s(to_s)) };
  const response = await history(query, signal);
  return new Points(await response.json(), { from_s, to_s, count }, (wall_s) => timeline.t_s(wall_s));
}

/** Every sample of this time, the newest MAX_ROWS of it, as RawSamples.slice has them. Rejects as above. */
export async function readSamples(timeline, { from_s, to_s }, signal) {
  const to_wall_s = timeline.wall_s(to_s) + 1e-6; // `to` itself is not in the answer
  const query = { format: "csv", to: decimal(to_wall_s), seconds: decimal(to_s - from_s + 2e-6), limit: MAX_ROWS };
  const response = await history(query, signal);
  return { ...samplesOf(await response.text(), timeline), generation: response.headers.get("Ring-Generation") };
}

async function history(query, signal) {
  const url = new URL(`history?${new URLSearchParams(query)}`, document.baseURI);
  const response = await fetch(url, { signal, cache: "no-store" });
  if (!response.ok) throw new Error((await answerOf(response)).reason);
  return response;
}

function decimal(s) {
  return s.toFixed(6);
}

/** CSV of /history → arrays. */
export function samplesOf(csv, timeline) {
  const lines = csv.split("\n");
  const names = lines.shift().trim().split(",");
  while (lines.at(-1) === "") lines.pop();
  const at = Object.fromEntries(names.map((name, i) => [name, i]));
  const samples = { t_s: new Float64Array(lines.length), broken: new Uint8Array(lines.length), cut: lines.length >= MAX_ROWS };
  for (const axis of MEASURED) samples[axis] = new Float32Array(lines.length);
  let before = NaN;
  lines.forEach((line, i) => {
    const cells = line.split(",");
    const seq = Number(cells[at.seq]);
    samples.t_s[i] = onTimeline(Number(cells[at.t_ns]) / 1e9, Number(cells[at.time]), timeline);
    for (const axis of MEASURED) samples[axis][i] = Number(cells[at[axis]]);
    const follows = seq === before + 1 && cells[at.lost] === "0" && !cells[at.flags].includes("_gap");
    samples.broken[i] = i > 0 && !follows ? LIFTED : 0;
    before = seq;
  });
  return samples;
}

function onTimeline(t_s, wall_s, timeline) {
  return Math.abs(timeline.wall_s(t_s) - wall_s) < SAME_CLOCK_S ? t_s : timeline.t_s(wall_s);
}
