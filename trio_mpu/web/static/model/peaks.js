/* The tones in a power spectral density. A peak is the greatest value within its window's main lobe, and stands out from the
 * median around it. Its frequency is the top of a parabola through the logarithms of three values. A tone of amplitude A has
 * the mean square A²/2, which the window spreads over the lobe: its height is √(2·Σ(PSD − median)·Δf), in g. */

import { WINDOWS } from "./psd.js";

const NEIGHBOURS = 32; // bins on either side; arbitrary
const LEAST = 3; // times the median: many averages of noise get to twice,
const LEAST_ONE = 9; // a single one to ten times

function medianAround(psd, k, lobe) {
  const around = [...psd.slice(Math.max(1, k - NEIGHBOURS), Math.max(1, k - lobe)), ...psd.slice(k + lobe + 1, k + NEIGHBOURS + 1)];
  return around.sort((a, b) => a - b)[around.length >> 1] ?? 0;
}

/** The sum over the lobe around `k`, to its least value on each side: beyond it is another tone. */
function sumOf(psd, k, lobe, floor) {
  let sum = psd[k] - floor;
  for (const side of [-1, 1]) {
    let end = k;
    for (let i = k; Math.abs(i - k) <= lobe && psd[i] >= 0; i += side) if (psd[i] <= psd[end]) end = i;
    for (let i = k; i !== end; i += side) sum += psd[i + side] - floor;
  }
  return Math.max(0, sum);
}

/** The `count` highest peaks of `psd`, highest first: [{ k, f_hz, height_g }]. */
export function peaksOf(psd, { window, segments, bin_hz }, count = 5) {
  const { lobe } = WINDOWS[window];
  const found = [];
  for (let k = 2; k < psd.length - 1; k += 1) {
    if (!(psd[k] > psd[k - 1]) || psd[k] < Math.max(...psd.subarray(Math.max(1, k - lobe), k + lobe + 1))) continue;
    const floor = medianAround(psd, k, lobe);
    if (psd[k] <= floor * (LEAST + LEAST_ONE / Math.sqrt(segments))) continue;
    const [a, b, c] = [-1, 0, 1].map((i) => Math.log(psd[k + i] || 1e-300));
    const f_hz = (k + (a - c) / (2 * (a - 2 * b + c))) * bin_hz;
    found.push({ k, f_hz, height_g: Math.sqrt(2 * sumOf(psd, k, lobe, floor) * bin_hz) });
  }
  return found.sort((a, b) => b.height_g - a.height_g).slice(0, count);
}
