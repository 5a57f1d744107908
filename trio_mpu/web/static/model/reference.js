/* The reference: a spectrum kept to compare others with. In the browser's storage it survives a reload. */

const KEY = "trio-mpu.spectrum";
const DIGITS = 5; // of a density: 4,096 bins take 120 kB

export class Reference {
  /** { wall_ms, resolution_hz, psd: [x, y, z, sum] }, or null. */
  kept = null;
  #storage;

  /** `storage()` gives the storage, or throws where it is forbidden. */
  constructor(storage) {
    this.#storage = storage;
    this.#try((stored) => {
      const kept = JSON.parse(stored.getItem(KEY));
      if (kept?.resolution_hz > 0 && kept.psd.length === 4) this.kept = kept;
    });
  }

  keep({ psd, resolution_hz }, wall_ms) {
    const rounded = psd.map((axis) => Array.from(axis, (value) => Number(value.toPrecision(DIGITS))));
    this.kept = { wall_ms, resolution_hz, psd: rounded };
    this.#try((stored) => stored.setItem(KEY, JSON.stringify(this.kept)));
  }

  remove() {
    this.kept = null;
    this.#try((stored) => stored.removeItem(KEY));
  }

  #try(use) {
    try {
      use(this.#storage());
    } catch {
      // Full, forbidden or unreadable: then it lasts as long as the page.
    }
  }
}
