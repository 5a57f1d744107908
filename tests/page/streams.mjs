// Samples and events as the server sends them, for tests of what keeps them.

export const GENERATION = "0123456789abcdef";
export const WALL_S = 1_764_000_000; // the wall clock less the monotonic one

const SAMPLE = { ax: 0, ay: 0, az: 1, gx: 0, gy: 0, gz: 0, temp: 25 };

/** A sample taken at `t_s`, or an event of several: `more` has n, min, max, std, gap, flags, attitude, … */
export function event(seq, t_s, values = {}, more = {}) {
  return {
    status: "ok", id: `${GENERATION}-${seq}`, seq, t_ns: Math.round(t_s * 1e9), time: WALL_S + t_s, source: "sim:seed=1",
    flags: [], sample: { ...SAMPLE, ...values }, ...more,
  };
}

/** The means of values ax of one window, as the server makes them. */
export function windowOf(seq, t_s, values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  const all = (ax) => ({ ...SAMPLE, ax });
  const none = Object.fromEntries(Object.keys(SAMPLE).map((axis) => [axis, 0]));
  return event(seq, t_s, { ax: mean }, { n: values.length, min: all(Math.min(...values)), max: all(Math.max(...values)), std: { ...none, ax: std } });
}
