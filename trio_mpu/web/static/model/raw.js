/* Raw samples: every sample of the last minute or so, while the stream brings them. */

import { MEASURED } from "./axes.js";
import { LIFTED } from "./bins.js";

const CAPACITY = 65536; // a minute at 1,000 Hz: the longest spectrum

export class RawSamples {
  #t_s = new Float64Array(CAPACITY);
  #columns = MEASURED.map(() => new Float32Array(CAPACITY));
  #flags = new Uint8Array(CAPACITY);
  #head = 0; // samples ever taken
  #begin = 0; // since this one none is missing but what was lost
  width_s = 0;

  /** Adds a sample (a point of one) taken at `t_s`. */
  add(t_s, point, flags) {
    const i = this.#head % CAPACITY;
    this.#t_s[i] = t_s;
    for (let a = 0; a < MEASURED.length; a += 1) this.#columns[a][i] = point.mean[a];
    this.#flags[i] = flags;
    this.#head += 1;
  }

  /** The samples that follow do not continue these: the stream brought means, or nothing, in between. */
  clear() {
    this.#begin = this.#head;
  }

  get oldest_s() {
    return this.#head > this.#tail ? this.#at(this.#tail) : NaN;
  }

  /** Whether nothing since `from_s` is missing but what was lost. */
  complete(from_s) {
    return this.oldest_s <= from_s;
  }

  /** The samples from `from_s` up to and including `to_s`, as arrays: { t_s, ax … temp, broken, cut }. */
  slice(from_s, to_s) {
    const begin = this.#from(from_s);
    const end = Math.max(begin, this.#from(to_s, true));
    const samples = { t_s: new Float64Array(end - begin), broken: new Uint8Array(end - begin), cut: false };
    this.#copy(this.#t_s, begin, samples.t_s);
    MEASURED.forEach((axis, a) => this.#copy(this.#columns[a], begin, (samples[axis] = new Float32Array(end - begin))));
    this.#copy(this.#flags, begin, samples.broken);
    for (let i = 0; i < samples.broken.length; i += 1) samples.broken[i] &= LIFTED;
    return samples;
  }

  /** As Bins.each: each sample is a bin of one, without a width. */
  each(a, from_s, to_s, visit, more = 0) {
    if (a >= MEASURED.length) return;
    const column = this.#columns[a];
    for (let number = this.#from(from_s); number < this.#head; number += 1) {
      const i = number % CAPACITY;
      const t_s = this.#t_s[i];
      if (t_s >= to_s) return;
      const value = column[i];
      visit(t_s, t_s, value, value, value, value, value, 1, this.#flags[i] | more, 0);
      more = 0;
    }
  }

  get #tail() {
    return Math.max(this.#begin, this.#head - CAPACITY);
  }

  #at(number) {
    return this.#t_s[number % CAPACITY];
  }

  /** The number of the first sample at `t_s` or later; `past`: later than it. */
  #from(t_s, past = false) {
    let low = this.#tail;
    let high = this.#head;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#at(middle) < t_s || (past && this.#at(middle) === t_s)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #copy(ring, begin, into) {
    const i = begin % CAPACITY;
    const first = ring.subarray(i, Math.min(CAPACITY, i + into.length));
    into.set(first);
    into.set(ring.subarray(0, into.length - first.length), first.length);
  }
}
