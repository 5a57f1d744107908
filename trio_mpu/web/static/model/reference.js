/* The reference: a spectrum kept to compare others with, in the browser's storage, where it survives a reload. */

const KEY = "trio-mpu.spectrum";
const DIGITS = 5; // of a density: 4,096 bins take 120 kB

export class Reference {
  kept = null; // { wall_ms, bin_hz, psd: [x, y, z, sum] }
  #storage;

  /** `storage()` gives the storage, or throws where it is forbidden. */
  constructor(storage) {
    this.#storage = storage;
    this.#try((stored) => {
      const kept = JSON.parse(stored.getItem(KEY));
      if (kept?.bin_hz > 0 && kept.psd.length === 4) this.kept = kept;
    });
  }

  /** Keeps a result; null: none. */
  keep(result, wall_ms) {
    const rounded = (axis) => Array.from(axis, (value) => Number(value.toPrecision(DIGITS)));
    this.kept = result && { wall_ms, bin_hz: result.bin_hz, psd: result.psd.map(rounded) };
    this.#try((stored) => stored.setItem(KEY, JSON.stringify(this.kept)));
  }

  #try(use) {
    try {
      use(this.#storage());
    } catch {
      // Full, forbidden or unreadable: then it lasts as long as the page.
    }
  }
}
