/* How strongly something vibrates: the figures of machine diagnosis, of one axis. */

import { MM_S2 } from "./psd.js";

const FROM_HZ = 10; // the band of ISO 20816-1 and ISO 10816-1
const TO_HZ = 1000;

/** The top of the band; NaN without one, and where bins are so wide that gravity leaks into it. */
export function bandTo_hz({ fs_hz, bin_hz }) {
  const top_hz = Math.min(TO_HZ, fs_hz / 2);
  return top_hz > FROM_HZ && bin_hz <= FROM_HZ / 4 ? top_hz : NaN;
}

/** The RMS velocity in the band, in mm/s: √(Σ PSD·Δf / (2πf)²). Bins at its ends count by what lies in it. */
export function velocity_mm_s(psd, result) {
  const to_hz = bandTo_hz(result);
  const { bin_hz } = result;
  let sum = to_hz * 0; // NaN without a band
  for (let k = Math.floor(FROM_HZ / bin_hz); k < psd.length; k += 1) {
    const within_hz = Math.min(to_hz, (k + 0.5) * bin_hz) - Math.max(FROM_HZ, (k - 0.5) * bin_hz);
    if (within_hz > 0) sum += (psd[k] * within_hz) / (2 * Math.PI * k * bin_hz) ** 2;
  }
  return Math.sqrt(sum) * MM_S2;
}

/** { rms, peak, crest } without the mean, in g; NaN of nothing, and crest NaN of a constant. */
export function swing(values) {
  let mean = 0;
  for (const value of values) mean += value / values.length;
  let squares = 0;
  let peak = values.length ? 0 : NaN;
  for (const value of values) {
    squares += (value - mean) ** 2;
    peak = Math.max(peak, Math.abs(value - mean));
  }
  const rms = Math.sqrt(squares / values.length);
  return { rms, peak, crest: peak / rms };
}
