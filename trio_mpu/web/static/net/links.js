/* Links: addresses of the past, commands for them, names of files. Times are Unix seconds. */

import { answerOf, UNANSWERED } from "./answer.js";

/** All samples from `from_s` to `to_s`: both belong to it, while the server's `to` is the first time that does not. */
export function historyUrl(base, { format, from_s, to_s, attitude }) {
  const times = `from=${Math.max(0, from_s).toFixed(6)}&to=${(to_s + 1e-6).toFixed(6)}`;
  return new URL(`history?format=${format}&${times}${attitude ? "&attitude=1" : ""}`, base).href;
}

/** In double quotes, which sh, cmd and PowerShell know; what they would replace within these is written as %XX. */
export function curlOf(url, name) {
  return `curl -f -o "${name}" "${url.replace(/[$`"\\]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}"`;
}

/** Whether the server has a file, which a download that fails would not say: { reason, leftOut }, the reason of a refusal
 *  or "", and how many samples a format without gaps leaves out. */
export async function probe(url) {
  const cut = new AbortController();
  try {
    const response = await fetch(url, { signal: cut.signal, cache: "no-store" });
    const leftOut = Number(response.headers.get("Samples-Left-Out"));
    return { reason: response.ok ? "" : (await answerOf(response)).reason, leftOut };
  } catch {
    return { reason: UNANSWERED, leftOut: 0 };
  } finally {
    cut.abort();
  }
}

/** "trio-mpu_2026-11-30T15-43-05Z_10s_shown.csv": sorted by time, and a name on every system. */
export function fileName(from_s, span_s, what, suffix) {
  const begin = new Date(from_s * 1000).toISOString().slice(0, 19).replaceAll(":", "-");
  return `trio-mpu_${begin}Z_${span_s < 100 ? Number(span_s.toPrecision(3)) : Math.round(span_s)}s_${what}.${suffix}`;
}
