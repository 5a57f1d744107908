/* The ledger: which samples have come, and which are missing.
 *
 * Rules
 *   1. An id is GENERATION-SEQ. Within a generation the sequence number only rises; what doesn't is a repeat, and a
 *      repeat is never counted as a sample.
 *   2. A gap is what the server calls one. A jump it does not mention counts as well ("untold"): the page
 *      believes its own arithmetic.
 *   3. A loss whose size nobody knows makes the sum a lower bound, and stays visible as one.
 *   4. received + lost = newest - first + 1, as long as there is one generation and every loss is known.
 */

export class Ledger {
  #generation = null;
  #seq = 0;

  /** The id to resume after, null before the first sample. */
  lastId = null;
  firstSeq = null;
  received = 0;
  repeats = 0;
  gaps = 0;
  lost = 0;
  lostIsAtLeast = false;
  /** { reason, lost, from, to, time } of the newest gap, or null; lost null means unknown, time is in Unix seconds. */
  lastGap = null;

  /** Takes one event. Gives "next" (follows its predecessor), "after gap", or "repeat" (to be ignored). */
  take(event) {
    const [generation, seq] = split(event.id);
    const sameGeneration = generation === this.#generation;
    if (sameGeneration && seq <= this.#seq) {
      this.repeats += 1;
      return "repeat";
    }
    const gap = event.gap ?? this.#untold(sameGeneration, seq);
    if (gap) this.#count(gap, event.time);

    this.#generation = generation;
    this.#seq = seq;
    this.lastId = event.id;
    this.firstSeq ??= seq;
    this.received += 1;
    return gap ? "after gap" : "next";
  }

  /** Whether the ledger has not had this event yet. */
  isNew(event) {
    const [generation, seq] = split(event.id);
    return generation !== this.#generation || seq > this.#seq;
  }

  #untold(sameGeneration, seq) {
    if (this.#generation === null) return null;
    if (!sameGeneration) return { reason: "restart", lost: null };
    const [from, to] = [this.#seq + 1, seq - 1];
    return from > to ? null : { reason: "untold", lost: to - from + 1, from, to };
  }

  #count({ reason, lost = null, from = null, to = null }, time) {
    this.gaps += 1;
    if (lost === null) this.lostIsAtLeast = true;
    else this.lost += lost;
    this.lastGap = { reason, lost, from, to, time };
  }
}

function split(id) {
  const dash = id.lastIndexOf("-");
  return [id.slice(0, dash), Number(id.slice(dash + 1))];
}
