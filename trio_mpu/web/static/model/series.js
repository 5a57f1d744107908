/* The series: the past of each axis, from the finest to the coarsest that is kept, as one.
 *
 * Rules
 *   1. Every sample is added to all levels of bins, so each level is complete up to the newest sample.
 *   2. A level reaches back COUNT bins. What lies before that, and what the page did not receive (a tab that slept), comes
 *      from points of /history, which are put in with `fill`.
 *   3. A reader gets, from the newest to the oldest, the coarsest source that is still fine enough, or the finest
 *      that there is.
 *   4. Time only goes forward. A step back is another clock: what was kept belonged to the old one, and goes. */

import { AXES } from "./axes.js";
import { Bins, LIFTED } from "./bins.js";
import { Moments } from "./statistics.js";

export { AXES };

const LEVELS = 6;
const LEAST_WIDTH_S = 0.02; // as often as the page asks for means
const STEP = 4; // the widest level has bins of 20 s: it reaches back almost a day
const MOST_FILLS = 12; // arbitrary: what was looked at most recently
const MOST_GAPS = 1000; // arbitrary
const MOST_RUNS = 20; // arbitrary: how often a tab may sleep
const NEXT_S = 1e-6; // a run ends right after its newest sample

export class Series {
  #levels = Array.from({ length: LEVELS }, (_, i) => new Bins(LEAST_WIDTH_S * STEP ** i));
  #raw;
  #runs = []; // times without a hole that the page itself made: { from_s, to_s }, oldest first
  #fills = []; // Points, most recently put in last
  #gaps = [];
  #since_s = -Infinity; // what lies before is another source's
  version = 0;

  constructor(raw) {
    this.#raw = raw;
  }

  /** Adds a point taken at `t_s`. `begins`: the page did not ask for what lies before it. `lifted`: it does not follow
   *  its predecessor. */
  add(t_s, point, { begins = false, lifted = false } = {}) {
    if (t_s < this.newest_s) this.clear();
    if (begins || this.#runs.length === 0) this.#begin(t_s);
    const flags = point.flags | (lifted ? LIFTED : 0);
    for (const level of this.#levels) level.add(t_s, point, flags);
    if (point.n === 1) this.#raw.add(t_s, point, flags);
    else this.#raw.clear();
    this.#runs.at(-1).to_s = t_s;
    this.version += 1;
  }

  #begin(t_s) {
    this.#raw.clear();
    this.#runs.push({ from_s: t_s, to_s: t_s });
    if (this.#runs.length > MOST_RUNS) this.#runs.shift();
  }

  addGap(gap) {
    this.#gaps.push(gap);
    if (this.#gaps.length > MOST_GAPS) this.#gaps.shift();
  }

  /** Puts points of the past in. */
  fill(points) {
    this.#fills.push(points);
    if (this.#fills.length > MOST_FILLS) this.#fills.shift();
    this.version += 1;
  }

  /** Whether these points are still here. */
  knows(points) {
    return this.#fills.includes(points);
  }

  /** Forgets everything. What lies before `since_s` is not to be asked for either. */
  clear(since_s = -Infinity) {
    this.#since_s = since_s;
    this.#levels.forEach((level) => level.clear());
    this.#raw.clear();
    this.#runs = [];
    this.#fills = [];
    this.#gaps = [];
    this.version += 1;
  }

  get newest_s() {
    return this.#runs.at(-1)?.to_s ?? NaN;
  }

  /** The oldest time that something is known of; NaN while there is nothing. */
  get oldest_s() {
    const known = [this.#runs[0]?.from_s, ...this.#fills.map((points) => points.begin_s)];
    return known.reduce((oldest, t_s) => (t_s < oldest ? t_s : oldest), this.newest_s);
  }

  /** The part of this time for which /history has to be asked, as { from_s, to_s }: it is not known, or only much coarser
   *  than `count` bins need, and was not asked for as finely before. Null when there is none. */
  missing(from_s, to_s, count) {
    const wanted_s = Math.max(LEAST_WIDTH_S, (to_s - from_s) / count);
    const enough_s = 2 * STEP * wanted_s;
    const asked = (part) => this.#fills.some((points) => points.answers(part.from_s, part.to_s, enough_s));
    const parts = this.#parts(Math.max(from_s, this.#since_s), to_s, wanted_s)
      .filter((part) => (part.source?.width_s ?? Infinity) > enough_s && !asked(part));
    return parts.length === 0 ? null : { from_s: parts[0].from_s, to_s: parts.at(-1).to_s };
  }

  /** Calls visit(t0_s, t1_s, first, least, greatest, last, mean, n, flags) for what was measured from `from_s` to `to_s`,
   *  oldest first, in about `count` bins: at least as many, if it is known so finely, and up to STEP times that. */
  each(axis, from_s, to_s, count, visit) {
    const a = AXES.indexOf(axis);
    let before = null;
    for (const part of this.#parts(from_s, to_s, (to_s - from_s) / count)) {
      part.source?.each(a, part.from_s, part.to_s, visit, follows(part, before) ? 0 : LIFTED);
      before = part;
    }
  }

  extremes(axis, from_s, to_s) {
    let least = Infinity;
    let greatest = -Infinity;
    this.each(axis, from_s, to_s, 500, (_t0_s, _t1_s, _first, low, high) => {
      if (low < least) least = low;
      if (high > greatest) greatest = high;
    });
    return { least, greatest };
  }

  /** { n, mean, deviation, least, greatest, rms }, or null when nothing is known. Deviation and RMS are NaN where only
   *  points of /history are known. */
  statistics(axis, from_s, to_s) {
    const moments = new Moments();
    this.each(axis, from_s, to_s, 1000, (_t0_s, _t1_s, _first, least, greatest, _last, mean, n, _flags, squares) => {
      if (!Number.isNaN(mean)) moments.merge(n, mean, Math.sqrt(squares / n), least, greatest);
    });
    const { n, mean, deviation, least, greatest, rms } = moments;
    return n === 0 ? null : { n, mean, deviation, least, greatest, rms };
  }

  /** The gaps within this time, oldest first: { t_s, before_s, reason, lost, from, to }. */
  gaps(from_s, to_s) {
    const parts = this.#parts(from_s, to_s, (to_s - from_s) / 1000).filter(({ source }) => source?.gaps);
    const past = parts.flatMap((part) => part.source.gaps(part.from_s, part.to_s));
    const own = this.#gaps.filter(({ t_s, before_s }) => t_s >= from_s && !(before_s > to_s));
    return [...past.filter(({ t_s }) => !own.some((gap) => gap.t_s === t_s)), ...own].sort((a, b) => a.t_s - b.t_s);
  }

  /** Who knows which part of this time: { source, from_s, to_s }, oldest first. A source of null: nobody. */
  #parts(from_s, to_s, wanted_s) {
    const known = this.#known().filter((each) => each.from_s < to_s && each.to_s > from_s);
    const edges = [from_s, to_s, ...known.flatMap((each) => [each.from_s, each.to_s])]
      .filter((t_s) => t_s >= from_s && t_s <= to_s)
      .sort((a, b) => a - b);
    const parts = [];
    for (let i = 1; i < edges.length; i += 1) {
      if (edges[i] === edges[i - 1]) continue;
      const source = best(known, edges[i - 1], edges[i], wanted_s);
      const last = parts.at(-1);
      if (last?.source === source) last.to_s = edges[i];
      else parts.push({ source, from_s: edges[i - 1], to_s: edges[i] });
    }
    return parts;
  }

  /** Every source, and the time that it knows. The newest run goes on without an end: nobody knows anything newer. */
  #known() {
    const runs = this.#runs.flatMap(({ from_s, to_s }, i) => {
      const until_s = i === this.#runs.length - 1 ? Infinity : to_s + NEXT_S;
      const begin_s = this.#levels[0].begin_s(from_s);
      // A level is used from where a bin of the next wider one ends, so that no sample is in both.
      const oldest_s = (level) => level.begin_s(level.oldest_s + STEP * level.width_s, STEP);
      return this.#levels.map((level) => ({ source: level, from_s: Math.max(begin_s, oldest_s(level)), to_s: until_s }));
    });
    const raw = { source: this.#raw, from_s: this.#raw.oldest_s, to_s: Infinity };
    const fills = this.#fills.map((points) => ({ source: points, from_s: points.oldest_s, to_s: points.newest_s }));
    return [raw, ...runs, ...fills];
  }
}

/** Whether the samples of a part follow those of the part before it: nothing between them is unknown, or was not measured. */
function follows(part, before) {
  if (before === null) return true;
  return before.source !== null && !(before.source.end_s < part.from_s - 2 * before.source.width_s);
}

/** The coarsest of the sources for this time that is fine enough, or the finest; null when there is none. */
function best(known, from_s, to_s, wanted_s) {
  let chosen = null;
  for (const { source, ...time } of known) {
    if (!(time.from_s <= from_s && time.to_s >= to_s)) continue;
    if (chosen === null || better(source.width_s, chosen.width_s, wanted_s)) chosen = source;
  }
  return chosen;
}

/** Whether bins of the width `a_s` are better than those of `b_s`, where `wanted_s` is fine enough. */
function better(a_s, b_s, wanted_s) {
  if (a_s <= wanted_s && b_s <= wanted_s) return a_s > b_s;
  return a_s < b_s;
}
