/* What plots say in words: times, readings, gaps, and the description for those who can't see them. */

import { describeGap } from "./accounts.js";
import { format } from "./readings.js";

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [0.001, "ms"]];

/** A time span: "1.234 s", "−5 min"; "all" for an endless one. */
export function spanWords(s) {
  if (s === Infinity) return "all";
  const [unit_s, unit] = UNITS.find(([unit_s]) => Math.abs(s) >= unit_s) ?? UNITS.at(-1);
  return `${String(Number((s / unit_s).toPrecision(4))).replace("-", "\u2212")} ${unit}`;
}

/** The reader's time of day, with milliseconds; "" for NaN. */
export function timeWords(wall_s) {
  const date = new Date(wall_s * 1000);
  return Number.isNaN(wall_s) ? "" : `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export function gapWords(gap, timeline) {
  return describeGap({ ...gap, time: timeline.wall_s(gap.t_s) }).replace(/, $/, ""); // where no reason is known
}

/** What was measured closest to `t_s`, at most `reach_s` away: { mean, least, greatest, n }, or null. */
export function reading(series, axis, t_s, reach_s, count) {
  let found = null;
  let closest_s = reach_s;
  series.each(axis, t_s - reach_s, t_s + reach_s, count, (t0_s, t1_s, _first, least, greatest, _last, mean, n) => {
    const away_s = Math.abs((t0_s + t1_s) / 2 - t_s);
    if (Number.isNaN(mean) || away_s > closest_s) return;
    closest_s = away_s;
    found = { mean, least, greatest, n };
  });
  return found;
}

/** A reading as three texts: the value, its extremes where it is a mean, its difference to `pinned` (or null). */
export function readingWords(found, pinned, decimals) {
  const text = (value) => format(value, decimals, true);
  if (!found) return ["\u2013", "", ""];
  return [text(found.mean), found.n > 1 ? `${text(found.least)}…${text(found.greatest)}` : "", pinned ? `Δ ${text(found.mean - pinned.mean)}` : ""];
}

/** "Acceleration, last 10 s: x mean 0.010 g, between −0.020 and 0.030; y …". */
export function spoken({ title, unit, decimals, axes }, series, { live, from_s, to_s, span_s }, timeline) {
  const when = live ? `last ${spanWords(span_s)}` : `${spanWords(span_s)} up to ${timeWords(timeline.wall_s(to_s))}`;
  const parts = axes.map(({ key, letter }) => {
    const { mean, least, greatest } = series.statistics(key, from_s, to_s) ?? {};
    if (mean === undefined) return `${letter} nothing`;
    const text = (value) => format(value, decimals, false);
    return `${letter} mean ${text(mean)} ${unit}, between ${text(least)} and ${text(greatest)}`;
  });
  return `${title}, ${when}: ${parts.join("; ") || "no axis shown"}`;
}
