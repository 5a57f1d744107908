/* Statistics: count, mean, deviation, least and greatest of values that come one by one, as parts, or as an array.
 *
 * Rules
 *   1. Sums of squares are about the mean, never about 0: 1 g of gravity would swallow the last digits of 1 mg of noise.
 *   2. The deviation divides by n: it describes just these samples, and is 0 for one of them.
 *   3. NaN is no value, and not counted. A part whose deviation is NaN makes that of the whole NaN: it can't be known.
 */

export class Moments {
  n = 0;
  mean = NaN;
  /** Sum of the squared distances from the mean. */
  m2 = 0;
  least = Infinity;
  greatest = -Infinity;

  /** Adds one value. */
  add(value) {
    this.merge(1, value, 0, value, value);
  }

  /** Adds a part of `n` values by its mean, deviation and extremes (Chan, Golub and LeVeque 1979, eq. 2.1). */
  merge(n, mean, deviation, least, greatest) {
    if (!(n > 0) || Number.isNaN(mean)) return;
    const before = this.n;
    this.n += n;
    if (before === 0) {
      this.mean = mean;
      this.m2 = n * deviation * deviation;
    } else {
      const apart = mean - this.mean;
      this.mean += (apart * n) / this.n;
      this.m2 += n * deviation * deviation + (apart * apart * before * n) / this.n;
    }
    if (least < this.least) this.least = least;
    if (greatest > this.greatest) this.greatest = greatest;
  }

  /** Standard deviation; NaN without values, or when a part's is not known. */
  get deviation() {
    return this.n === 0 ? NaN : Math.sqrt(this.m2 / this.n);
  }

  /** Root of the mean square; NaN as above. */
  get rms() {
    return this.n === 0 ? NaN : Math.sqrt(this.mean * this.mean + this.m2 / this.n);
  }
}

/** The moments of values[from] to values[to - 1], in two passes; the second one also takes out what rounding did to
 *  the mean (Chan, Golub and LeVeque 1983, eq. 1.7). */
export function momentsOf(values, from = 0, to = values.length) {
  const moments = new Moments();
  let sum = 0;
  for (let i = from; i < to; i += 1) {
    const value = values[i];
    if (value !== value) continue; // NaN
    moments.n += 1;
    sum += value;
    if (value < moments.least) moments.least = value;
    if (value > moments.greatest) moments.greatest = value;
  }
  if (moments.n === 0) return moments;
  const rough = sum / moments.n;
  let rest = 0;
  let squares = 0;
  for (let i = from; i < to; i += 1) {
    const apart = values[i] - rough;
    if (apart !== apart) continue;
    rest += apart;
    squares += apart * apart;
  }
  moments.mean = rough + rest / moments.n;
  moments.m2 = Math.max(0, squares - (rest * rest) / moments.n);
  return moments;
}
