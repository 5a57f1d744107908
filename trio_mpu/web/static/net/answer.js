/* An answer: what the server says to one plain request, as a value that can be shown.
 *
 * Rules
 *   1. It never throws: no answer at all is an answer too.
 *   2. It ends: within its patience, and as soon as the outcome is known, so that asking for a stream never keeps one.
 */

export const UNANSWERED = "the server does not answer";
const PATIENCE_MS = 3000; // less than the longest wait between two attempts to connect

/** Asks `url` and gives { reached, ok, body, reason, retryAfter_s }. `body` is the JSON object of an answer that has
 *  one, else null; `reason` is a clause for the user, empty when the answer was good. */
export async function ask(url, patience_ms = PATIENCE_MS) {
  const cut = new AbortController();
  const limit = setTimeout(() => cut.abort(), patience_ms);
  try {
    return await answerOf(await fetch(url, { signal: cut.signal, cache: "no-store" }));
  } catch {
    return { reached: false, ok: false, body: null, reason: UNANSWERED, retryAfter_s: 0 };
  } finally {
    clearTimeout(limit);
    cut.abort();
  }
}

/** What a response says, in the form of `ask`. May throw when the response breaks off. */
export async function answerOf(response) {
  const isJson = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
  const body = isJson ? await response.json() : null;
  return {
    reached: true,
    ok: response.ok,
    body,
    reason: response.ok ? "" : String(body?.reason ?? `the server answered ${response.status}`),
    retryAfter_s: Number(response.headers.get("Retry-After")) || 0,
  };
}
