/* The axes: what a point has one number of, in the order of all arrays. */

export const MEASURED = ["ax", "ay", "az", "gx", "gy", "gz", "temp"];
export const ANGLES = ["roll", "pitch", "yaw"];
export const AXES = [...MEASURED, ...ANGLES];
