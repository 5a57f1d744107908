/* The quantities that are plotted: their axes with letter and ink, the scale's least span (noise at rest must look like
 * rest), the decimals of a reading, and the range where the sensor names none. */

const xyz = (...keys) => keys.map((key, i) => ({ key, letter: "xyz"[i], ink: "xyz"[i] }));

export const QUANTITIES = [
  { id: "acceleration", title: "Acceleration", unit: "g", span: 0.08, decimals: 3, fixed: null, axes: xyz("ax", "ay", "az") },
  { id: "angular-rate", title: "Angular rate", unit: "°/s", span: 4, decimals: 2, fixed: null, axes: xyz("gx", "gy", "gz") },
  { id: "temperature", title: "Temperature", unit: "°C", span: 0.8, decimals: 2, fixed: { low: -40, high: 85 },
    axes: [{ key: "temp", letter: "t", ink: "t" }] },
  { id: "attitude", title: "Attitude", unit: "°", span: 4, decimals: 1, fixed: { low: -180, high: 180 },
    axes: xyz("roll", "pitch", "yaw").map((axis) => ({ ...axis, letter: axis.key })) },
];
