/* Ticks: where an axis is divided, and what is written there.
 *
 * Steps are 1, 2 or 5 times a power of ten, from a second on those of a clock face. A tick is a whole number times its
 * step, never a running sum, so it stays where it is while the window moves. Hours and days begin when they do on the
 * reader's clock, also across a change to summer time. */

const HOUR_S = 3600;
const DAY_S = 86400;
const CLOCK_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, HOUR_S, 7200, 10800, 21600, 43200, DAY_S];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SLACK = 1e-6; // of a step: by so much a calculated limit may miss a tick

/** The least of 1, 2, 5 times a power of ten that is not below `rough`, which is above 0. */
export function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough) + SLACK);
  return power * [1, 2, 5, 10].find((factor) => factor >= (rough / power) * (1 - SLACK));
}

/** The step for a window of `span_s` with about `most` ticks at most. */
export function timeStep(span_s, most) {
  const rough = span_s / most;
  if (rough < 1) return niceStep(rough);
  return CLOCK_STEPS_S.find((step) => step >= rough) ?? DAY_S * niceStep(rough / DAY_S);
}

/** The multiples of `step` from `from` to `to`. */
export function multiples(from, to, step) {
  const ticks = [];
  for (let i = Math.ceil(from / step - SLACK); i * step <= to + SLACK * step; i += 1) ticks.push(i * step);
  return ticks;
}

/** The decimals that tell multiples of `step` apart. */
export function decimals(step) {
  return Math.max(0, -Math.floor(Math.log10(step) + SLACK));
}

function zone_s(wall_s) {
  return -60 * new Date(wall_s * 1000).getTimezoneOffset();
}

/** The times, in Unix seconds, at which the reader's clock shows a multiple of `step`. */
export function wallTicks(from, to, step) {
  const shift = zone_s(from);
  const more = step < HOUR_S ? 0 : HOUR_S; // the zone may change within the window
  return multiples(from + shift - more, to + shift + more, step)
    .map((local) => local - zone_s(local - shift))
    .filter((wall, i, all) => wall >= from && wall <= to && wall !== all[i - 1]);
}

/** What the reader's clock shows, as finely as `step` needs it: "14:03:22.5"; the date at midnight. */
export function wallLabel(wall_s, step) {
  const date = new Date(Math.round(wall_s * 1000));
  const time = date.toTimeString().slice(0, 8);
  if (step >= DAY_S || (step >= 60 && time === "00:00:00")) return `${date.getDate()} ${MONTHS[date.getMonth()]}`;
  if (step >= 60) return time.slice(0, 5);
  return step < 1 ? time + (date.getMilliseconds() / 1000).toFixed(decimals(step)).slice(1) : time;
}

/** A time relative to another: "−5 s", "+2.5 s", "0"; in the unit that `step` is counted in. */
export function relativeLabel(s, step) {
  const [unit_s, unit] = [[DAY_S, "d"], [HOUR_S, "h"], [60, "min"]].find(([unit_s]) => step >= unit_s) ?? [1, "s"];
  const text = Math.abs(s / unit_s).toFixed(decimals(step / unit_s));
  return Number(text) === 0 ? "0" : `${s < 0 ? "\u2212" : "+"}${text} ${unit}`;
}
