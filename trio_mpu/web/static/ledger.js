/* The ledger: which samples have come, which are missing, and which the page did not ask for.
 *
 * Rules
 *   1. An id is GENERATION-SEQ. Within a generation the sequence number only rises; what doesn't is a repeat, and a
 *      repeat is never counted as a sample.
 *   2. A gap is what the server calls one. A jump it does not mention counts as well ("untold"): the page
 *      believes its own arithmetic.
 *   3. A loss whose size nobody knows makes the sum a lower bound, and stays visible as one.
 *   4. What the page skipped by its own choice, after it slept, is neither received nor lost: it has an account of its own.
 *   5. received + lost + skipped = newest - first + 1, as long as there is one generation, every loss is known and
 *      each has numbers (those that a sensor did not deliver have none).
 */

export class Ledger {
  #generation = null;
  #seq = 0;
  #skipping = null;

  /** The id to resume after, null before the first sample. */
  lastId = null;
  firstSeq = null;
  received = 0;
  repeats = 0;
  gaps = 0;
  lost = 0;
  lostIsAtLeast = false;
  /** { reason, lost, from, to, time } of the newest gap, or null. As in the protocol, the missing numbers are those
   *  between `from` and `to`; lost null means unknown, time is in Unix seconds. */
  lastGap = null;
  skipped = 0;
  /** { why, away_s, from, to, time } of the newest skip, or null; from and to as above, or null for new numbers. */
  lastSkip = null;

  /** Takes one event. Gives "next" (follows its predecessor), "after gap", "skipped", or "repeat" (to be ignored). */
  take(event) {
    const { generation, seq } = numberOf(event.id);
    const sameGeneration = generation === this.#generation;
    const skip = this.#skipping;
    this.#skipping = null;
    if (sameGeneration && seq <= this.#seq) {
      if (skip === null) this.repeats += 1; // else nothing was measured meanwhile: the newest is still ours
      return "repeat";
    }
    if (skip !== null) this.#countSkip(skip, sameGeneration, seq, event.time);
    const gap = event.gap ?? (skip === null ? this.#untold(sameGeneration, seq) : null);
    if (gap) this.#count(gap, event.time);

    this.#generation = generation;
    this.#seq = seq;
    this.lastId = event.id;
    this.firstSeq ??= seq;
    this.received += 1;
    if (skip !== null) return "skipped";
    return gap ? "after gap" : "next";
  }

  /** The next sample is the newest there is, and what lies before it was not asked for: `why` is "slept" or "away". */
  skip(why, away_s) {
    if (this.lastId !== null) this.#skipping = { why, away_s };
  }

  /** The charts have, from another source, what was skipped from the number `oldest` on. */
  found(oldest) {
    if (this.lastSkip === null || this.lastSkip.to === null) return;
    this.lastSkip.to = Math.max(this.lastSkip.from + 1, Math.min(this.lastSkip.to, oldest));
  }

  /** Whether the ledger has not had this event yet. */
  isNew(event) {
    const { generation, seq } = numberOf(event.id);
    return generation !== this.#generation || seq > this.#seq;
  }

  #untold(sameGeneration, seq) {
    if (this.#generation === null) return null;
    if (!sameGeneration) return { reason: "restart", lost: null };
    const missing = seq - this.#seq - 1;
    return missing === 0 ? null : { reason: "untold", lost: missing, from: this.#seq, to: seq };
  }

  #count({ reason, lost = null, from = null, to = null }, time) {
    this.gaps += 1;
    if (lost === null) this.lostIsAtLeast = true;
    else this.lost += lost;
    this.lastGap = { reason, lost, from, to, time };
  }

  #countSkip({ why, away_s }, sameGeneration, seq, time) {
    if (sameGeneration) this.skipped += seq - this.#seq - 1;
    this.lastSkip = { why, away_s, from: sameGeneration ? this.#seq : null, to: sameGeneration ? seq : null, time };
  }
}

/** "GENERATION-SEQ" → { generation, seq }. */
export function numberOf(id) {
  const dash = id.lastIndexOf("-");
  return { generation: id.slice(0, dash), seq: Number(id.slice(dash + 1)) };
}
