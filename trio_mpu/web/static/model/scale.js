/* Scales: the values at the bottom and the top of a plot.
 *
 * An automatic one ends on round numbers, is never narrower than a least span (noise at rest must look like rest), and
 * stays as long as the values fit and fill half of it, so that it does not flicker. */

import { niceStep } from "./ticks.js";

const DIVISIONS = 8; // arbitrary: its ends are multiples of about an eighth
const SLACK = 1e-9; // of a division

/** `present` (or null) if it still does for values between `least` and `greatest`, else a new { low, high }. */
export function fitted(present, least, greatest, span) {
  if (!(least <= greatest)) return present;
  const middle = (least + greatest) / 2;
  const half = Math.max(greatest - least, span) / 2;
  const step = niceStep((2 * half) / DIVISIONS);
  const times = (n) => Number((n * step).toPrecision(12)); // 0.6, not 0.6000000000000001
  const low = times(Math.floor((middle - half) / step + SLACK));
  const high = times(Math.ceil((middle + half) / step - SLACK));
  const fits = present !== null && present.low <= least && greatest <= present.high;
  return fits && high - low > (present.high - present.low) / 2 ? present : { low, high };
}

/** The range of a sensor in `unit`, "g" or "°/s", from the text that describes it ("…, ±2 g, ±250 °/s, …"); null where
 *  it does not say. */
export function rangeOf(chip, unit) {
  const found = [...(chip ?? "").matchAll(/±\s*([\d.]+)\s*(g\b|°\/s)/g)].find(([, limit, of]) => of === unit && limit > 0);
  return found ? { low: -found[1], high: Number(found[1]) } : null;
}

/** A scale by hand, "-1..2" in the address → { low, high }; null for whatever is none. */
export function byHand(text) {
  const [low, high, ...rest] = text.split("..").map((part) => (part.trim() ? Number(part) : NaN));
  return rest.length === 0 && Number.isFinite(high - low) && low < high ? { low, high } : null;
}
