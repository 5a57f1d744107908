/* The past of a spectrum: a ring of rows of levels, each a byte: 0 is nothing, n is LEAST_DB + n · STEP_DB. Rows have numbers,
 * time divided by the time of a row; what was skipped is blank. */

export const COLUMNS = 512;
export const ROWS = 300;
const LEAST_DB = -150; // of 1 g²/Hz: below any sensor's noise
const STEP_DB = 0.75; // up to +41 dB
const REFIT_DB = 5; // the colours stay while they fit so well

export const dbOf = (level) => LEAST_DB + level * STEP_DB;

function levelOf(density) {
  return Math.min(255, Math.max(1, Math.round((10 * Math.log10(density) - LEAST_DB) / STEP_DB)));
}

export class Waterfall {
  newest = NaN; // the newest row's number
  #levels = new Uint8Array(ROWS * COLUMNS);

  /** One of the newest ROWS. */
  row(number) {
    const at = (((number % ROWS) + ROWS) % ROWS) * COLUMNS;
    return this.#levels.subarray(at, at + COLUMNS);
  }

  /** Adds row `number`: `psd`'s greatest density in each column, from 0 to `to_hz`; blank if that is null. */
  add(number, psd, bin_hz, to_hz) {
    const isNext = number > this.newest && number - this.newest < ROWS;
    for (let i = isNext ? this.newest + 1 : number - ROWS + 1; i <= number; i += 1) this.row(i).fill(0);
    this.newest = number;
    const bin = (column) => Math.round((column * to_hz) / COLUMNS / bin_hz);
    if (psd) this.row(number).forEach((_, i, row) => (row[i] = levelOf(Math.max(...psd.subarray(bin(i), Math.max(bin(i) + 1, bin(i + 1)))))));
  }

  /** [low, high] in dB of all but the lowest tenth; `present` while that will do; null while all is blank. */
  range(present) {
    const levels = this.#levels.filter((level) => level > 0).sort();
    if (levels.length === 0) return null;
    const wanted = [dbOf(levels[Math.floor(levels.length / 10)]), dbOf(levels.at(-1) + 1)];
    return present?.every((db, i) => Math.abs(db - wanted[i]) < REFIT_DB) ? present : wanted;
  }
}

/** The colours of all levels, as pixels of ImageData: from dark blue by grey to yellow in even steps of lightness in Oklab (B. Ottosson,
 *  2020), also for eyes that can't tell red from green. That of 0 is clear. */
export function coloursOf([low, high]) {
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const part = Math.min(1, Math.max(0, (dbOf(level) - low) / (high - low)));
    return level && new Uint32Array(Uint8Array.of(...bytesOf(0.2 + 0.72 * part, 0.26 * part - 0.1), 255).buffer)[0];
  });
}

/** Oklab's L and b, a = 0 → red, green and blue. */
function bytesOf(lightness, b) {
  const [l, m, s] = [0.2158, -0.06385, -1.2915].map((part) => (lightness + part * b) ** 3);
  const linear = [4.0767 * l - 3.3077 * m + 0.231 * s, -1.2684 * l + 2.6098 * m - 0.3413 * s, -0.0042 * l - 0.7034 * m + 1.7076 * s];
  return linear.map((part) => 255 * Math.min(1, Math.max(0, 1.055 * part ** (1 / 2.4) - 0.055 || 0)));
}
