import assert from "node:assert/strict";
import test from "node:test";

import { Fft } from "../../trio_mpu/web/static/model/fft.js";
import { peaksOf } from "../../trio_mpu/web/static/model/peaks.js";
import { Welch, stretchesOf } from "../../trio_mpu/web/static/model/psd.js";
import { near, normal, samplesAt, times } from "./tones.mjs";

const TONE_HZ = 123.4;

function spectrum(samples, options) {
  const result = new Welch().compute(samples, options);
  return { ...result, peaks: peaksOf(result.psd[3], result) };
}

/** One tone, where it is and as high as it is, and nothing else. */
function assertOneTone(result, height_g = 0.1) {
  assert.equal(result.peaks.length, 1);
  const [peak] = result.peaks;
  assert.ok(Math.abs(peak.f_hz - TONE_HZ) < 0.1 * result.bin_hz, `${peak.f_hz} Hz`);
  assert.ok(near(peak.height_g, height_g, 0.01), `${peak.height_g} g`);
}

test("the transform is that of the definition, of both signals", () => {
  for (const length of [4, 8, 64]) {
    const signals = [1, 2].map((seed) => Float64Array.from({ length }, normal(seed)));
    const found = signals.map(() => new Float64Array(length / 2 + 1));
    new Fft(length).addPowers(...signals, ...found);
    signals.forEach((x, i) => found[i].forEach((power, k) => {
      const part = (of) => x.reduce((sum, value, n) => sum + value * of((2 * Math.PI * k * n) / length), 0);
      assert.ok(Math.abs(power - part(Math.cos) ** 2 - part(Math.sin) ** 2) < 1e-12 * length);
    }));
  }
});

test("a length that is no power of two is refused", () => {
  for (const length of [0, 2, 6, 1000, NaN]) assert.throws(() => new Fft(length), /power of two/);
});

test("a tone is shown where it is and as high as it is, with every window", () => {
  const samples = samplesAt(times(10_000, 1000), [[TONE_HZ, 0.1]]);
  for (const window of ["hann", "hamming", "blackman", "flattop", "kaiser"]) {
    const result = spectrum(samples, { window, length: 1024 });
    assert.ok(Math.abs(result.peaks[0].f_hz - TONE_HZ) < 0.2 * result.bin_hz, window);
    assert.ok(near(result.peaks[0].height_g, 0.1, 0.01), window);
  }
});

test("the integral of the density is the mean square", () => {
  const result = spectrum(samplesAt(times(20_000, 1000), [], 0.01), { length: 256 });
  const square = result.psd[3].reduce((sum, value) => sum + value, 0) * result.bin_hz;
  assert.ok(near(square, 3 * 0.01 ** 2, 0.03));
});

test("the rate is that of the times, whatever it was meant to be", () => {
  for (const hz of [980, 1000, 1020]) {
    const result = spectrum(samplesAt(times(10_000, hz), [[TONE_HZ, 0.1]]));
    assert.ok(near(result.fs_hz, hz, 1e-9));
    assertOneTone(result);
  }
});

test("a reported gap in the middle of a tone adds no peak and moves none", () => {
  const samples = samplesAt(times(10_000, 1000, 5000, 5333), [[TONE_HZ, 0.1]]);
  samples.broken[5000] = 1;
  const result = spectrum(samples, { length: 1024 });
  assertOneTone(result);
  const { gaps, stretches, segments, leftOut } = result;
  assert.deepEqual({ gaps, stretches, segments, leftOut }, { gaps: 1, stretches: 2, segments: 8 + 8, leftOut: 0 });
});

test("a gap that only the times show counts as one, be it a single sample", () => {
  for (const lost of [1, 333]) {
    const samples = samplesAt(times(10_000, 1000, 5000, 5000 + lost), [[TONE_HZ, 0.1]]);
    assert.deepEqual(stretchesOf(samples), [[0, 5000], [5000, 10_000 - lost]]);
    assertOneTone(spectrum(samples, { length: 1024 }));
    assertOneTone(spectrum(samples, { printer: true }));
  }
});

test("no segment crosses a gap: a jump in level at one gives nothing", () => {
  const samples = samplesAt(times(4096, 1000), [], 0.001);
  samples.broken[2048] = 1;
  const quiet = spectrum(samples, { length: 512 });
  samples.ax.subarray(2048).forEach((value, i, values) => (values[i] = value + 1));
  const jumped = spectrum(samples, { length: 512 });
  jumped.psd[0].forEach((value, k) => assert.ok(Math.abs(value - quiet.psd[0][k]) < 1e-11));
});

test("stretches that are too short for a segment are left out, and counted", () => {
  const samples = samplesAt(times(3000, 1000), [[TONE_HZ, 0.1]]);
  samples.broken[100] = 1;
  const { leftOut, stretches, gaps } = spectrum(samples, { length: 512 });
  assert.deepEqual({ leftOut, stretches, gaps }, { leftOut: 100, stretches: 1, gaps: 1 });
});

test("stretches at another rate than the newest are left out, and counted", () => {
  for (const [hz, n] of [[500, 2000], [800, 4000], [970, 9000]]) {
    const before = Array.from({ length: n }, (_, i) => 4980 + i / hz);
    const samples = samplesAt([...before, ...times(8000, 1000)], [[TONE_HZ, 0.1]]);
    const result = spectrum(samples, { length: 512 });
    assertOneTone(result);
    assert.equal(result.leftOut, n);
    assert.ok(near(result.fs_hz, 1000, 1e-9));
  }
});

test("too few samples give no segment, and no error", () => {
  for (const n of [0, 1, 2, 63]) {
    assert.equal(spectrum(samplesAt(times(n, 1000), [])).segments, 0);
    assert.equal(spectrum(samplesAt(times(n, 1000), []), { printer: true }).segments, 0);
  }
});

test("times that jitter are counted and corrected: the tone stands 20 dB further above what they add", () => {
  const random = normal(7);
  const t_s = times(8192, 100).map((at) => at + Math.max(-0.4, Math.min(0.4, 0.15 * random())) / 100);
  const samples = samplesAt(t_s, [[10, 0.1]], 0);
  const result = spectrum(samples, { length: 512 });
  assert.ok(result.jittered > 100);
  const rest = (psd) => psd.reduce((sum, value, k) => sum + (Math.abs(k * result.bin_hz - 10) > 1 ? value : 0), 0);
  const plain = spectrum({ ...samples, t_s: Float64Array.from(times(8192, 100)) }, { length: 512 });
  assert.equal(plain.jittered, 0);
  assert.ok(rest(result.psd[0]) < rest(plain.psd[0]) / 100);
  assert.ok(near(result.peaks[0].height_g, 0.1, 0.01));
});

test("single readings that come late are no gaps", () => {
  const t_s = times(4000, 100);
  for (let i = 50; i < 3900; i += 97) t_s[i] += 0.0095;
  const samples = samplesAt(t_s, [[10, 0.1]]);
  assert.equal(stretchesOf(samples).length, 1);
  assert.ok(spectrum(samples).jittered >= 39);
});

test("readings held up and then delivered in a burst are no gap, and nothing is made up between them", () => {
  const t_s = times(8000, 1000);
  for (let at = 500; at < 7500; at += 700) for (let i = 0; i < 25; i += 1) t_s[at + i] = t_s[at + 25] - (25 - i) * 1e-9;
  const held = { ...samplesAt(times(8000, 1000), [[TONE_HZ, 0.1]]), t_s: Float64Array.from(t_s) };
  assert.equal(stretchesOf(held).length, 1);
  const result = spectrum(held, { length: 1024 });
  assert.ok(result.jittered > 100);
  assertOneTone(result);
});

test("samples that crowd are not magnified", () => {
  const random = normal(3);
  const t_s = times(8192, 100).map((at) => at + Math.max(-0.49, Math.min(0.49, 0.3 * random())) / 100);
  const result = spectrum(samplesAt(t_s, [], 0.01), { length: 512 });
  const square = result.psd[0].reduce((sum, value) => sum + value, 0) * result.bin_hz;
  assert.ok(result.jittered > 1000);
  assert.ok(square < 1.5e-4);
});

test("a clock that drifts slowly is no jitter", () => {
  const t_s = times(60_000, 1000).map((at, i) => at + 1e-4 * (i / 60_000) ** 2 * 60);
  assert.equal(spectrum(samplesAt(t_s, [])).jittered, 0);
});

test("up to five peaks, the highest first, and none of noise", () => {
  const tones = [[31, 0.01], [62, 0.05], [93, 0.02], [204, 0.04], [305, 0.03], [406, 0.006]];
  const { peaks } = spectrum(samplesAt(times(10_000, 1000), tones));
  assert.deepEqual(peaks.map(({ f_hz }) => Math.round(f_hz)), [62, 204, 305, 93, 31]);
  for (const length of [256, 1024, 4096]) {
    for (const n of [length, 10_000]) {
      assert.deepEqual(spectrum(samplesAt(times(n, 1000), []), { length }).peaks, [], `${length} of ${n}`);
    }
  }
});

test("two tones near each other keep their heights", () => {
  const { peaks } = spectrum(samplesAt(times(10_000, 1000), [[100, 0.1], [104.2, 0.05]]), { length: 1024 });
  assert.equal(peaks.length, 2);
  assert.ok(near(peaks[0].height_g, 0.1, 0.01), `${peaks[0].height_g}`);
  assert.ok(near(peaks[1].height_g, 0.05, 0.02), `${peaks[1].height_g}`);
});
