/* The power spectral density of acceleration in g²/Hz, one-sided, by Welch's method (IEEE Trans. Audio 15, 1967).
 *
 * Rules
 *   1. Segments, their mean removed, are multiplied by w and transformed; 2·|X|² / (fs·Σw²), half of it at DC and Nyquist, is
 *      averaged over all of them. None crosses a gap, be it reported or seen in the times.
 *   2. fs is (N − 1) / (last − first), over all stretches between gaps; for printers N / (last − first), as in Klipper's scripts.
 *      Stretches at another rate than the newest, or too short, are left out and counted.
 *   3. Times off a uniform grid are counted, and interpolated onto it; but not if they are off by a period: those were held
 *      up, and came in a burst. */

import { Fft } from "./fft.js";

const JITTER_PERIODS = 0.25;
const RATE_DIFFERS = 0.01; // more than clocks drift, less than settings of a rate differ
const BURST = 32; // samples that may make up for a late one; arbitrary
const LEAST_APART = 0.3; // periods; a cubic through closer samples magnifies noise
export const MM_S2 = 9806.65; // in one g

/** Coefficients of cosine sums (periodic, as SciPy's), and how many bins from a tone its power lies. */
export const WINDOWS = {
  hann: { terms: [0.5, 0.5], lobe: 3 },
  hamming: { terms: [0.54, 0.46], lobe: 3 },
  blackman: { terms: [0.42, 0.5, 0.08], lobe: 4 },
  flattop: { terms: [0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368], lobe: 5 },
  kaiser: { beta: 6, lobe: 3 }, // symmetric, as NumPy's
  rectangular: { terms: [1], lobe: 12 },
};

/** The modified Bessel function I0, by its series. */
function bessel(x) {
  let sum = 1;
  for (let k = 1, term = 1; term > sum * 1e-17; k += 1) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

export function windowOf(name, length) {
  const { terms, beta } = WINDOWS[name];
  return new Float64Array(length).map((_, n) => {
    if (beta) return bessel(beta * Math.sqrt(1 - ((2 * n) / (length - 1) - 1) ** 2)) / bessel(beta);
    return terms.reduce((sum, a, k) => sum + (-1) ** k * a * Math.cos((2 * Math.PI * k * n) / length), 0);
  });
}

/** The median over intervals of BURST samples. */
function typicalPeriod_s(t_s) {
  const over = Math.max(1, Math.min(BURST, t_s.length - 1));
  const some = [];
  for (let i = over; i < t_s.length; i += Math.ceil(t_s.length / 1000)) some.push((t_s[i] - t_s[i - over]) / over);
  return some.sort((a, b) => a - b)[some.length >> 1];
}

/** Whether samples are missing before `i`: those that follow don't make up for its being late. */
function isGapAt(t_s, i, period_s) {
  for (let k = 0; k < BURST && i + k < t_s.length; k += 1) {
    if (t_s[i + k] - t_s[i - 1] < (k + 1.5) * period_s) return false;
  }
  return true;
}

/** [from, to) of each stretch without a gap, oldest first. */
export function stretchesOf({ t_s, broken }) {
  const period_s = typicalPeriod_s(t_s);
  const found = [];
  for (let i = 1, from = 0; i <= t_s.length; i += 1) {
    if (i < t_s.length && !broken[i] && t_s[i] > t_s[i - 1] && !isGapAt(t_s, i, period_s)) continue;
    found.push([from, i]);
    from = i;
  }
  return found;
}

/** fs over stretches; `more` is 1 for printers. */
function rateOf(t_s, stretches, more = 0) {
  const sum = (count) => stretches.reduce((total, [from, to]) => total + count(from, to), 0);
  return sum((from, to) => to - from - 1 + more) / sum((from, to) => t_s[to - 1] - t_s[from]);
}

/** Whether two rates are one, but for a clock's drift. */
export const isSameRate = (a_hz, b_hz) => Math.abs(a_hz / b_hz - 1) < RATE_DIFFERS;

export class Welch {
  #key = "";
  #fft;
  #weights;
  #squares; // Σw²
  #enbw; // the noise bandwidth in bins, N·Σw² / (Σw)²
  #segments; // scratch, of each axis
  #none;
  #at; // scratch: places on the grid, in periods

  /** Options: window, length (samples; 0: as fits), overlap (percent), printer (true: Klipper's method).
   *  → { fs_hz, length, bin_hz, enbw_hz, window, overlap, segments (0: too short), stretches, gaps, leftOut (samples),
   *  jittered (places in segments), psd: [x, y, z, sum], length/2 + 1 values each }. */
  compute(samples, { window = "hann", length = 0, overlap = 50, printer = false } = {}) {
    const { t_s } = samples;
    const all = stretchesOf(samples);
    const newest = all.findLast(([from, to]) => to - from > BURST) ?? [0, t_s.length];
    const alike = all.filter((one) => one[1] - one[0] > 1 && isSameRate(rateOf(t_s, [one]), rateOf(t_s, [newest])));
    const fs_hz = rateOf(t_s, alike, Number(printer));
    // Half a second, in the next power of two; or what gives seven segments that overlap by half.
    if (printer) [window, length, overlap] = ["kaiser", Math.max(4, 2 ** Math.ceil(Math.log2(Math.floor(fs_hz / 2) || 1))), 50];
    length ||= Math.min(4096, Math.max(64, 2 ** Math.floor(Math.log2(Math.max(0, ...alike.map(([from, to]) => to - from)) / 4))));
    this.#plan(window, length);

    const psd = [0, 1, 2, 3].map(() => new Float64Array(length / 2 + 1));
    const bin_hz = fs_hz / length;
    const result = { fs_hz, length, bin_hz, enbw_hz: this.#enbw * bin_hz, window, overlap, psd, segments: 0, stretches: 0, jittered: 0 };
    Object.assign(result, { gaps: Math.max(0, all.length - 1), leftOut: t_s.length });
    for (const [from, to] of alike) {
      if (to - from < length) continue;
      result.stretches += 1;
      result.leftOut -= to - from;
      for (let start = from; start + length <= to; start += length * (1 - overlap / 100)) this.#add(samples, start, printer, result);
    }
    for (let k = 0; k <= length / 2; k += 1) {
      const scale = (k % (length / 2) ? 2 : 1) / (fs_hz * this.#squares * result.segments);
      for (const axis of psd.slice(0, 3)) psd[3][k] += axis[k] *= scale;
    }
    return result;
  }

  #plan(window, length) {
    if (this.#key === window + length) return;
    this.#key = window + length;
    this.#fft = new Fft(length);
    this.#weights = windowOf(window, length);
    this.#squares = this.#weights.reduce((sum, w) => sum + w * w, 0);
    this.#enbw = (length * this.#squares) / this.#weights.reduce((sum, w) => sum + w, 0) ** 2;
    [this.#at, this.#none, ...this.#segments] = [0, 1, 2, 3, 4].map(() => new Float64Array(length));
  }

  #add({ t_s, ax, ay, az }, start, printer, result) {
    const isUneven = this.#place(t_s, start, result) && !printer;
    const { length } = this.#at;
    [ax, ay, az].forEach((values, axis) => {
      const segment = this.#segments[axis];
      if (isUneven) interpolate(this.#at, values, start, segment);
      else segment.set(values.subarray(start, start + length));
      let mean = 0;
      for (let i = 0; i < length; i += 1) mean += segment[i] / length;
      for (let i = 0; i < length; i += 1) segment[i] = (segment[i] - mean) * this.#weights[i];
    });
    const [x, y, z] = this.#segments;
    this.#fft.addPowers(x, y, result.psd[0], result.psd[1]);
    this.#fft.addPowers(z, this.#none, result.psd[2], this.#at);
    result.segments += 1;
  }

  /** Finds the places of a segment's samples, and counts those off the grid; → whether to interpolate. */
  #place(t_s, start, result) {
    const at = this.#at;
    let offset = 0;
    for (let i = 0; i < at.length; i += 1) {
      at[i] = (t_s[start + i] - t_s[start]) * result.fs_hz;
      offset += (at[i] - i) / at.length;
    }
    let furthest = 0;
    for (let i = 0; i < at.length; i += 1) {
      at[i] -= offset;
      const off = Math.abs(at[i] - i);
      furthest = Math.max(furthest, off);
      if (off > JITTER_PERIODS) result.jittered += 1;
    }
    return furthest > JITTER_PERIODS && furthest < 1;
  }
}

/** Samples at `at` on the grid 0, 1, 2 …: by the cubic through the four around each (Lagrange), or, where they crowd, by a line. */
function interpolate(at, values, start, out) {
  for (let i = 0, j = 1; i < at.length; i += 1) {
    while (j < at.length - 3 && at[j + 1] <= i) j += 1; // at[j] ≤ i < at[j + 1]
    const isCrowd = Math.min(at[j] - at[j - 1], at[j + 1] - at[j], at[j + 2] - at[j + 1]) < LEAST_APART;
    const [first, last] = isCrowd ? [j, j + 1] : [j - 1, j + 2];
    out[i] = 0;
    for (let a = first; a <= last; a += 1) {
      let part = values[start + a];
      for (let b = first; b <= last; b += 1) if (b !== a) part *= (i - at[b]) / (at[a] - at[b]);
      out[i] += part;
    }
  }
}
