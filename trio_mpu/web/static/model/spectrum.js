/* A spectrum as it is shown: numbers, units, and its account of itself in words. A style is { printer, root, db }. */

import { MM_S2 } from "./psd.js";
import { niceStep } from "./ticks.js";

export const NAMES = ["x", "y", "z", "sum"];
const DIGITS = new Intl.NumberFormat("en");
const HEADROOM_DB = 6; // for a label

/** Of a density or its root, in g, or in mm/s² as people with printers have it, or in dB of one. */
export function unitOf({ printer, root, db }) {
  const [density, rooted] = printer ? ["(mm/s²)²/Hz", "mm/s²/√Hz"] : ["g²/Hz", "g/√Hz"];
  return (db ? "dB of 1 " : "") + (root ? rooted : density);
}

/** A density in g²/Hz → the number in that unit. */
export function shownOf(density, { printer, root, db }) {
  const value = printer ? density * MM_S2 ** 2 : density;
  if (db) return 10 * Math.log10(value || 1e-30);
  return root ? Math.sqrt(value) : value;
}

/** A number of so many digits, with an exponent if it gets long. */
export function figure(value, digits) {
  const text = String(Number(value.toPrecision(digits)));
  return (text.length > 7 ? Number(text).toExponential().replace("e+", "e") : text).replace(/^-/, "\u2212");
}

export const hertz = (hz, bin_hz) => `${hz.toFixed(bin_hz < 0.5 ? 2 : 1)} Hz`;
const counted = (n, noun) => `${DIGITS.format(n)} ${noun}${n === 1 ? "" : "s"}`;

export function peaksText(peaks, bin_hz) {
  return peaks.map(({ f_hz, height_g }) => `${hertz(f_hz, bin_hz)} ${height_g.toPrecision(3)} g`).join(" · ") || "none";
}

/** What was calculated, and of what. */
export function describe(result, { t_s, cut }) {
  const { fs_hz, length, segments, stretches, gaps, leftOut, bin_hz, enbw_hz } = result;
  if (!(fs_hz > 0)) return "Waiting for samples";
  const said = [`${(t_s.at(-1) - t_s[0]).toFixed(1)} s at ${DIGITS.format(Number(fs_hz.toFixed(2)))} Hz`];
  if (segments === 0) said.push(`too short for a segment of ${counted(length, "sample")}`);
  else said.push(
    `${counted(segments, "segment")} of ${counted(length, "sample")} averaged, ${result.window} window, overlap ${result.overlap} %`,
    `a bin is ${figure(bin_hz, 3)} Hz, the noise bandwidth ${figure(enbw_hz, 3)} Hz`,
  );
  if (gaps > 0) said.push(`with ${counted(gaps, "gap")}: ${stretches > 1 ? `${stretches} stretches apart` : "one stretch used"}`);
  if (leftOut > 0) said.push(`${counted(leftOut, "sample")} left out, in stretches too short or at another rate`);
  if (result.jittered > 0) said.push("times that jitter by more than a quarter of a period");
  if (cut) said.push("only the newest samples of a longer time");
  return said.join("; ");
}

/** The file of tools for printers, in (mm/s²)²/Hz with the preset for printers, else in g²/Hz. */
export function csvOf({ psd, bin_hz }, { printer }) {
  const row = (_, k) => [k * bin_hz, ...psd.map((axis) => shownOf(axis[k], { printer }))].map((value) => Number(value.toPrecision(9)));
  return `freq,psd_x,psd_y,psd_z,psd_xyz\n${Array.from(psd[3], row).join("\n")}\n`;
}

/** The limits [low, high] of `values`: `present` (or null) while they fit and fill half of it. dB reach 40 to 120 down. */
export function limitsOf(values, db, present) {
  let [least, greatest] = [Infinity, -Infinity];
  for (const value of values) {
    greatest = Math.max(greatest, value);
    least = Math.min(least, value);
  }
  if (!(greatest > (db ? -Infinity : 0))) return present ?? [0, 1];
  const top = db ? greatest + HEADROOM_DB : 1.1 * greatest;
  const step = db ? 10 : niceStep(top / 4);
  const high = step * Math.ceil(top / step);
  const low = db ? Math.min(high - 40, Math.max(high - 120, step * Math.floor(least / step))) : 0;
  const fits = present && top <= present[1] && low >= present[0] && high - low > (present[1] - present[0]) / 2;
  return fits ? present : [low, high];
}
