// Reads cases as JSON from stdin and writes what the page's Welch makes of each: node welch.mjs < cases.json
// A case is { t_s, x, y, z, broken?, options }; its samples are rounded to 32 bits, as the page keeps them.

import { readFileSync } from "node:fs";

import { Welch } from "../../trio_mpu/web/static/model/psd.js";

const welch = new Welch();
const answers = JSON.parse(readFileSync(0, "utf8")).map(({ t_s, x, y, z, broken, options }) => {
  const [ax, ay, az] = [x, y, z].map((values) => Float32Array.from(values));
  const samples = { t_s: Float64Array.from(t_s), ax, ay, az, broken: Uint8Array.from(broken ?? t_s.map(() => 0)) };
  const result = welch.compute(samples, options);
  return { ...result, psd: result.psd.map((values) => [...values]) };
});
process.stdout.write(JSON.stringify(answers));
