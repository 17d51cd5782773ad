import {
  gaussianBlur,
  perturbForStudent,
  randomRectangle,
  strongPerturbation,
} from '../../../src/training/batches/perturb';
import { Random } from '../../../src/training/random';
import { plainBatch } from '../../support/lossFixture';

const [size, height, width] = [4, 16, 24];
const pixels = height * width;
const none = { jitterChance: 0, blurChance: 0, blurSigma: [1, 1], cutMixChance: 0 } as const;

/** Every sample's images and labels hold the sample's own number, so that whatever was pasted says where it comes from. */
function numbered(): ReturnType<typeof plainBatch> {
  const own = (perSample: number): Float32Array =>
    Float32Array.from({ length: size * perSample }, (_, i) => (1 + Math.floor(i / perSample)) / 10);
  const frame = own(3 * pixels);
  const networkImages = new Float32Array(3 * frame.length);
  for (let f = 0; f < 3; f++) networkImages.set(frame, f * frame.length);
  return plainBatch(size, height, width, {
    target: frame,
    networkImages,
    teacher: { disparity: own(pixels) },
  });
}

test('blur keeps even pictures, and an impulse becomes a Gaussian of the same sum', () => {
  const even = new Float32Array(3 * pixels).fill(0.3);
  const out = new Float32Array(3 * pixels);
  gaussianBlur(even, height, width, 1.5, out);
  out.forEach((x) => expect(x).toBeCloseTo(0.3, 5));
  const impulse = new Float32Array(3 * pixels);
  const [u, v] = [12, 8];
  impulse[3 * (v * width + u) + 1] = 1;
  gaussianBlur(impulse, height, width, 1, out);
  const green = (du: number, dv: number): number => out[3 * ((v + dv) * width + u + du) + 1];
  expect(out.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 4);
  expect(green(1, 0) / green(0, 0)).toBeCloseTo(Math.exp(-0.5), 4);
  expect(green(0, 2) / green(0, 0)).toBeCloseTo(Math.exp(-2), 4);
  expect(green(1, 1)).toBeCloseTo(green(-1, -1), 6);
  expect(out[3 * (v * width + u)]).toBe(0); // red stays out
});

test('rectangles lie inside the image and cover 2 to 40 % of it', () => {
  const random = new Random(1);
  for (let i = 0; i < 500; i++) {
    const { left, top, width: w, height: h } = randomRectangle(random, 96, 320);
    expect(left >= 0 && top >= 0 && left + w <= 320 && top + h <= 96).toBe(true);
    expect((w * h) / (96 * 320)).toBeGreaterThan(0.01);
    expect((w * h) / (96 * 320)).toBeLessThan(0.42);
  }
});

test('CutMix pastes image and labels of the next sample at the same place, and says where', () => {
  const batch = numbered();
  const { networkImages, teacher } = perturbForStudent(batch, new Random(5), { ...none, cutMixChance: 1 });
  const target = networkImages.subarray(3 * size * pixels, 6 * size * pixels);
  let pasted = 0;
  for (let b = 0; b < size; b++) {
    for (let i = 0; i < pixels; i++) {
      const isPasted = teacher!.pasted![b * pixels + i] === 1;
      const from = (1 + (isPasted ? (b + 1) % size : b)) / 10;
      expect(teacher!.disparity[b * pixels + i]).toBeCloseTo(from, 6);
      expect(target[3 * (b * pixels + i)]).toBeCloseTo(from, 6);
      pasted += isPasted ? 1 : 0;
    }
  }
  expect(pasted).toBeGreaterThan(size);
  // The batch handed in, and the other frames, are as they were.
  expect(batch.teacher!.disparity).toEqual(numbered().teacher!.disparity);
  expect(networkImages.subarray(0, 3 * size * pixels)).toEqual(batch.networkImages.subarray(0, 3 * size * pixels));
  expect(networkImages.subarray(6 * size * pixels)).toEqual(batch.networkImages.subarray(6 * size * pixels));
});

test('jitter and blur change images and never labels; half of the samples are cut and mixed', () => {
  const batch = numbered();
  const changed = perturbForStudent(batch, new Random(2), { ...strongPerturbation, jitterChance: 1, cutMixChance: 0 });
  expect(changed.teacher!.disparity).toEqual(batch.teacher!.disparity);
  expect(changed.networkImages).not.toEqual(batch.networkImages);
  expect(changed.networkImages.every((x) => x >= 0 && x <= 1)).toBe(true);
  const random = new Random(3);
  let mixed = 0;
  for (let i = 0; i < 100; i++) {
    const { pasted } = perturbForStudent(batch, random, { ...none, cutMixChance: 0.5 }).teacher!;
    for (let b = 0; b < size; b++) mixed += pasted!.subarray(b * pixels, (b + 1) * pixels).includes(1) ? 1 : 0;
  }
  expect(mixed / (100 * size)).toBeGreaterThan(0.42);
  expect(mixed / (100 * size)).toBeLessThan(0.58);
});

test('a batch without a teacher is an error', () => {
  expect(() => perturbForStudent(plainBatch(1, 2, 2), new Random(1))).toThrow(/no teacher/);
});
