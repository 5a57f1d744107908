import assert from "node:assert/strict";
import test from "node:test";

import { noiseOf, noiseText } from "../../trio_mpu/web/static/model/noise.js";
import { Welch } from "../../trio_mpu/web/static/model/psd.js";
import { bandTo_hz, swing, velocity_mm_s } from "../../trio_mpu/web/static/model/vibration.js";
import { COLUMNS, ROWS, Waterfall, coloursOf, dbOf } from "../../trio_mpu/web/static/model/waterfall.js";
import { near, samplesAt, times } from "./tones.mjs";

const velocity = (samples, options) => {
  const result = new Welch().compute(samples, options);
  return [velocity_mm_s(result.psd[0], result), bandTo_hz(result)];
};

test("of a sine the figures are those of the books", () => {
  const { rms, peak, crest } = swing(samplesAt(times(10_000, 1000), [[50, 0.1]], 0).ax.map((value) => value + 1));
  assert.ok(near(rms, 0.1 / Math.SQRT2, 1e-5));
  assert.ok(near(peak, 0.1, 1e-5));
  assert.ok(near(crest, Math.SQRT2, 1e-5));
});

test("of nothing and of a constant there is no crest factor", () => {
  assert.deepEqual(swing(new Float32Array(0)), { rms: NaN, peak: NaN, crest: NaN });
  assert.deepEqual(swing(new Float32Array(5).fill(1)), { rms: 0, peak: 0, crest: NaN });
});

test("the velocity of a sine is its amplitude divided by 2πf and √2", () => {
  for (const hz of [15, 50, 300]) {
    const [found, to_hz] = velocity(samplesAt(times(10_000, 1000), [[hz, 0.1]], 0));
    assert.ok(near(found, (0.1 * 9806.65) / (2 * Math.PI * hz * Math.SQRT2), 0.01), `${found} at ${hz} Hz`);
    assert.ok(near(to_hz, 500, 1e-9));
  }
});

test("what is outside of 10 to 1,000 Hz is no part of the velocity", () => {
  assert.ok(velocity(samplesAt(times(40_000, 1000), [[5, 0.1]], 0))[0] < 0.01);
  const [above, to_hz] = velocity(samplesAt(times(30_000, 4000), [[1500, 0.1]], 0));
  assert.ok(above < 0.01);
  assert.equal(to_hz, 1000);
});

test("there is no velocity below 20 samples a second, nor where bins are too wide", () => {
  assert.deepEqual(velocity(samplesAt(times(1000, 15), [])), [NaN, NaN]);
  assert.deepEqual(velocity(samplesAt(times(1000, 1000), []), { length: 128 }), [NaN, NaN]);
});

const rest = (tones, noise_g) => noiseOf(samplesAt(times(2000, 1000), tones, noise_g), new Welch());

test("noise at rest is rated by the mean density, axis by axis", () => {
  // White noise of standard deviation σ has the density σ²/(fs/2).
  for (const [level, word] of [[15, "good"], [300, "noisy"], [2000, "broken"]]) {
    const { axes, moves } = rest([], Math.sqrt(level * 500) / 9806.65);
    assert.equal(moves, false);
    for (const axis of axes) {
      assert.ok(near(axis.level, level, 0.2), `${axis.level}`);
      assert.equal(axis.word, word);
    }
  }
});

test("an axis that gives a constant is broken", () => {
  assert.deepEqual(rest([], 0).axes.map(({ word }) => word), Array(3).fill("broken: constant"));
});

test("a sensor that moves is not at rest, one that only vibrates a little is", () => {
  assert.equal(rest([[0.4, 0.2]], 0.002).moves, true);
  assert.equal(rest([[50, 0.001]], 0.002).moves, false);
  assert.equal(noiseOf(samplesAt(times(100, 1000), []), new Welch()), null);
  assert.match(noiseText(rest([[0.4, 0.2]], 0.002)), /^Not at rest.*: x \d+ noisy, y 0\.\d+ good, z/);
});

test("a row of the waterfall keeps the greatest of each column, to a step of 0.75 dB", () => {
  const waterfall = new Waterfall();
  const psd = new Float64Array(2049).fill(1e-6);
  psd[1025] = 1e-2;
  waterfall.add(100, psd, 500 / 2048, 500);
  const row = waterfall.row(100);
  assert.ok(Math.abs(dbOf(row[Math.floor(1025 / 4)]) + 20) <= 0.375);
  assert.equal(row.filter((level) => Math.abs(dbOf(level) + 60) <= 0.375).length, COLUMNS - 1);
  for (const [density, level] of [[0, 1], [1e-30, 1], [1e30, 255]]) {
    waterfall.add(101, psd.fill(density), 500 / 2048, 500);
    assert.equal(waterfall.row(101)[7], level);
  }
});

test("rows that were skipped are blank, old ones are gone, and a step back begins anew", () => {
  const waterfall = new Waterfall();
  const psd = new Float64Array(65).fill(1e-3);
  const filled = (to) => Array.from({ length: ROWS }, (_, i) => to - ROWS + 1 + i).filter((n) => waterfall.row(n)[0] > 0);
  for (const number of [-3, -2, 0]) waterfall.add(number, psd, 1, 64);
  assert.deepEqual(filled(0), [-3, -2, 0]);
  waterfall.add(1, null);
  waterfall.add(5, psd, 1, 64);
  assert.deepEqual(filled(5), [-3, -2, 0, 5]);
  waterfall.add(297, psd, 1, 64);
  assert.deepEqual(filled(297), [-2, 0, 5, 297]);
  waterfall.add(5000, psd, 1, 64);
  assert.deepEqual(filled(5000), [5000]);
  waterfall.add(100, psd, 1, 64);
  assert.deepEqual(filled(100), [100]);
});

test("the range of the colours is that of the levels", () => {
  const waterfall = new Waterfall();
  assert.equal(waterfall.range(), null);
  const psd = new Float64Array(513).fill(1e-6);
  psd[100] = 1;
  waterfall.add(0, psd, 1, 512);
  const [low, high] = waterfall.range();
  assert.ok(Math.abs(low + 60) < 1);
  assert.ok(high > 0 && high < 2);
  assert.deepEqual(waterfall.range([-62, 3]), [-62, 3]);
  assert.deepEqual(waterfall.range([-62, 30]), [low, high]);
});

test("colours get lighter in even steps, from blue to yellow, and nothing is clear", () => {
  const colours = coloursOf([-100, -20]);
  assert.equal(colours[0], 0);
  const pixels = [...colours].map((colour) => [...new Uint8Array(Uint32Array.of(colour).buffer)]);
  const light = ([r, g, b]) => 0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2;
  const at = (db) => pixels[Math.round((db + 150) / 0.75)];
  const steps = [-100, -80, -60, -40, -20].map((db) => 116 * Math.cbrt(light(at(db))) - 16); // CIE L*
  for (let i = 1; i < 5; i += 1) assert.ok(Math.abs(steps[i] - steps[i - 1] - (steps[4] - steps[0]) / 4) < 5, `${steps}`);
  assert.ok(at(-100)[2] > 2 * at(-100)[0]);
  assert.ok(at(-20)[0] > 2 * at(-20)[2]);
});
