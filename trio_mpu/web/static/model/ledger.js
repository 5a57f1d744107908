/* The ledger: which samples have come, which are missing, and which the page did not ask for.
 *
 * Rules
 *   1. An id is GENERATION-SEQ. Within a generation the sequence number only rises; what doesn't is a repeat, and a
 *      repeat is never counted as a sample.
 *   2. A gap is what the server calls one. A jump it does not mention counts as well ("untold"): the page
 *      believes its own arithmetic.
 *   3. A loss whose size nobody knows makes the sum a lower bound, and stays visible as one.
 *   4. What the page skipped by its own choice, after it slept, is neither received nor lost: it has an account of its own.
 *   5. An event may stand for several samples: the last `n` up to its number, that is, and whatever its gap names in between.
 *   6. received + lost + skipped = newest - first + 1, as long as there is one generation, every loss is known and
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

  /** Takes one event. Gives its verdict, "next" (follows its predecessor), "after gap", "skipped", or "repeat" (to be
   *  ignored), and the gap before it or null. */
  take(event) {
    const { generation, seq } = numberOf(event.id);
    const sameGeneration = generation === this.#generation;
    const skip = this.#skipping;
    this.#skipping = null;
    if (sameGeneration && seq <= this.#seq) {
      if (skip === null) this.repeats += 1; // else nothing was measured meanwhile: the newest is still ours
      return { verdict: "repeat", gap: null };
    }
    const before = seq - (event.n ?? 1) - (sameGeneration ? named(event.gap) : 0); // the number before the first sample of this event
    if (skip !== null) this.#countSkip(skip, sameGeneration, before, event.time);
    const gap = event.gap ?? (skip === null ? this.#untold(sameGeneration, before) : null);
    if (gap) this.#count(gap, event.time);

    this.#generation = generation;
    this.#seq = seq;
    this.lastId = event.id;
    this.firstSeq ??= before + 1;
    this.received += event.n ?? 1;
    if (skip !== null) return { verdict: "skipped", gap };
    return gap ? { verdict: "after gap", gap: this.lastGap } : { verdict: "next", gap: null };
  }

  /** The next sample is the newest there is, and what lies before it was not asked for: `why` is "slept" or "away". */
  skip(why, away_s) {
    if (this.lastId !== null) this.#skipping = { why, away_s };
  }

  /** Whether the ledger has not had this event yet. */
  isNew(event) {
    const { generation, seq } = numberOf(event.id);
    return generation !== this.#generation || seq > this.#seq;
  }

  #untold(sameGeneration, before) {
    if (this.#generation === null) return null;
    if (!sameGeneration) return { reason: "restart", lost: null };
    const missing = before - this.#seq;
    return missing <= 0 ? null : { reason: "untold", lost: missing, from: this.#seq, to: before + 1 };
  }

  #count({ reason, lost = null, from = null, to = null }, time) {
    this.gaps += 1;
    if (lost === null) this.lostIsAtLeast = true;
    else this.lost += lost;
    this.lastGap = { reason, lost, from, to, time };
  }

  #countSkip({ why, away_s }, sameGeneration, before, time) {
    if (sameGeneration) this.skipped += before - this.#seq;
    this.lastSkip = { why, away_s, from: sameGeneration ? this.#seq : null, to: sameGeneration ? before + 1 : null, time };
  }
}

/** How many sample numbers a gap names as missing. */
function named(gap) {
  return gap?.from == null || gap.to == null ? 0 : Math.max(0, gap.to - gap.from - 1);
}

/** "GENERATION-SEQ" → { generation, seq }. */
export function numberOf(id) {
  const dash = id.lastIndexOf("-");
  return { generation: id.slice(0, dash), seq: Number(id.slice(dash + 1)) };
}
