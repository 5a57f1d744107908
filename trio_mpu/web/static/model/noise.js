/* The noise of each axis at rest by Klipper's measure: the mean over all frequencies of the density for printers. */

import { MM_S2 } from "./psd.js";

export const REST_S = 2;
const GOOD = 100; // (mm/s²)²/Hz
const BROKEN = 1000; // from here on it is the sensor, its supply, or a fan
const MOVES_G = 0.02; // between the means of two blocks: a degree of tilt
const BLOCKS = 8; // of a quarter of a second

const meanOf = (values) => values.reduce((sum, value) => sum + value / values.length, 0);

function word(level) {
  if (!(level > 0)) return "broken: constant";
  return level >= BROKEN ? "broken" : level > GOOD ? "noisy" : "good";
}

/** Whether the means of blocks lie further apart than noise of `level` explains. */
function moves(values, level, fs_hz) {
  const size = values.length / BLOCKS;
  const means = Array.from({ length: BLOCKS }, (_, i) => meanOf(values.slice(i * size, (i + 1) * size)));
  const noise_g = Math.sqrt((level * fs_hz) / 2 / size) / MM_S2;
  return Math.max(...means) - Math.min(...means) > Math.max(MOVES_G, 6 * noise_g);
}

/** → { axes: [x, y, z of { level, word }], moves: whether the sensor did }; null of too few samples. */
export function noiseOf(samples, welch) {
  const { psd, segments, fs_hz } = welch.compute(samples, { printer: true });
  if (segments === 0) return null;
  const axes = psd.slice(0, 3).map((axis) => meanOf(axis) * MM_S2 ** 2).map((level) => ({ level, word: word(level) }));
  return { axes, moves: [samples.ax, samples.ay, samples.az].some((values, i) => moves(values, axes[i].level, fs_hz)) };
}

export function noiseText(noise) {
  if (!noise) return "Too few samples to measure the noise.";
  const axes = noise.axes.map(({ level, word }, i) => `${"xyz"[i]} ${level.toPrecision(3)} ${word}`);
  return `${noise.moves ? "Not at rest: the sensor moves. " : ""}Noise in (mm/s²)²/Hz: ${axes.join(", ")}`;
}
