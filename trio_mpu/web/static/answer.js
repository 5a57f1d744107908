/* An answer: what the server says to one plain request, as a value that can be shown.
 *
 * Rules
 *   1. It never throws: no answer at all is an answer too.
 *   2. It ends: within PATIENCE_MS, and as soon as the outcome is known, so that asking for a stream never keeps one.
 */

const PATIENCE_MS = 3000; // less than the longest wait between two attempts to connect

/** Asks `url` and gives { reached, ok, body, reason, retryAfter_s }. `body` is the JSON object of an answer that has
 *  one, else null; `reason` is a clause for the user, empty when the answer was good. */
export async function ask(url) {
  const cut = new AbortController();
  const limit = setTimeout(() => cut.abort(), PATIENCE_MS);
  try {
    const response = await fetch(url, { signal: cut.signal, cache: "no-store" });
    const isJson = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
    const body = isJson ? await response.json() : null;
    return {
      reached: true,
      ok: response.ok,
      body,
      reason: response.ok ? "" : String(body?.reason ?? `the server answered ${response.status}`),
      retryAfter_s: Number(response.headers.get("Retry-After")) || 0,
    };
  } catch {
    return { reached: false, ok: false, body: null, reason: "the server does not answer", retryAfter_s: 0 };
  } finally {
    clearTimeout(limit);
    cut.abort();
  }
}
