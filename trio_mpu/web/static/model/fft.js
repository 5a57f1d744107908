/* The discrete Fourier transform by radix 2, unscaled. A plan is for one length, and a transform allocates nothing. */

export class Fft {
  #cos; // of 2πk/N, k < N/2
  #sin; // of −2πk/N
  #reversed; // each number's bits, the other way round
  #re;
  #im;

  constructor(length) {
    if (!(length >= 4) || length & (length - 1)) throw new RangeError(`${length} is no power of two from 4 on`);
    this.#re = new Float64Array(length);
    this.#im = new Float64Array(length);
    this.#cos = this.#re.slice(length / 2).map((_, k) => Math.cos((2 * Math.PI * k) / length));
    this.#sin = this.#cos.map((_, k) => -Math.sin((2 * Math.PI * k) / length));
    this.#reversed = new Uint32Array(length);
    for (let i = 1; i < length; i += 1) this.#reversed[i] = (this.#reversed[i >> 1] >> 1) | (i & 1 && length >> 1);
  }

  /** Adds |X[k]|², k = 0 … N/2, of two real signals to `sumsX` and `sumsY`: both go through one transform, as x + iy. */
  addPowers(x, y, sumsX, sumsY) {
    const re = this.#re;
    const im = this.#im;
    const length = re.length;
    for (let i = 0; i < length; i += 1) {
      re[this.#reversed[i]] = x[i];
      im[this.#reversed[i]] = y[i];
    }
    for (let size = 2; size <= length; size *= 2) {
      for (let k = 0; k < size / 2; k += 1) {
        const c = this.#cos[(k * length) / size];
        const s = this.#sin[(k * length) / size];
        for (let i = k; i < length; i += size) {
          const j = i + size / 2;
          const a = re[j] * c - im[j] * s;
          const b = re[j] * s + im[j] * c;
          re[j] = re[i] - a;
          im[j] = im[i] - b;
          re[i] += a;
          im[i] += b;
        }
      }
    }
    for (let k = 0; k <= length / 2; k += 1) {
      const j = (length - k) % length;
      sumsX[k] += ((re[k] + re[j]) ** 2 + (im[k] - im[j]) ** 2) / 4;
      sumsY[k] += ((im[k] + im[j]) ** 2 + (re[k] - re[j]) ** 2) / 4;
    }
  }
}
