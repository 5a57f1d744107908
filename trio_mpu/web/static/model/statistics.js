/* Statistics of values that come one by one or in parts.
 *
 * Sums of squares are about the mean, never about 0: 1 g of gravity would swallow the last digits of 1 mg of noise. The
 * deviation divides by n. NaN is no value; a part whose deviation is NaN makes that of the whole NaN. */

export class Moments {
  n = 0;
  mean = NaN;
  m2 = 0; // sum of the squared distances from the mean
  least = Infinity;
  greatest = -Infinity;

  static of(values) {
    const moments = new Moments();
    for (const value of values) moments.add(value);
    return moments;
  }

  add(value) {
    this.merge(1, value, 0, value, value);
  }

  /** Adds `n` values by their mean, deviation and extremes (Chan, Golub and LeVeque 1979, eq. 2.1). */
  merge(n, mean, deviation, least, greatest) {
    if (!(n > 0) || Number.isNaN(mean)) return;
    const before = this.n;
    const apart = before === 0 ? 0 : mean - this.mean;
    this.n += n;
    this.mean = before === 0 ? mean : this.mean + (apart * n) / this.n;
    this.m2 += n * deviation * deviation + (apart * apart * before * n) / this.n;
    if (least < this.least) this.least = least;
    if (greatest > this.greatest) this.greatest = greatest;
  }

  get deviation() {
    return this.n === 0 ? NaN : Math.sqrt(this.m2 / this.n);
  }

  /** Root of the mean square. */
  get rms() {
    return Math.hypot(this.mean, this.deviation);
  }
}
