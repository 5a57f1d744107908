// Samples made up for the tests of the spectrum: tones in noise, with gaps, at true or odd times.

/** Random numbers of a normal distribution, the same in each run (mulberry32, Box and Muller). */
export function normal(seed = 1) {
  let state = seed;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Samples at `t_s`: tones [[Hz, g], …] along x, 1 g along z, noise of `noise_g` in all. */
export function samplesAt(t_s, tones, noise_g = 0.002) {
  const random = normal();
  const zero = Float32Array.from(t_s, () => noise_g * random());
  return {
    t_s: Float64Array.from(t_s),
    ax: zero.map((noise, i) => noise + tones.reduce((sum, [hz, g]) => sum + g * Math.sin(2 * Math.PI * hz * t_s[i]), 0)),
    ay: zero.map(() => noise_g * random()),
    az: zero.map(() => 1 + noise_g * random()),
    broken: new Uint8Array(t_s.length),
    cut: false,
    generation: "g",
  };
}

/** Times of `n` samples at `hz`, without the numbers from…to − 1 where those were lost. */
export function times(n, hz, from = n, to = n) {
  return Array.from({ length: n }, (_, i) => i).filter((i) => i < from || i >= to).map((i) => 5000 + i / hz);
}

export const near = (value, wanted, part) => Math.abs(value / wanted - 1) <= part;
