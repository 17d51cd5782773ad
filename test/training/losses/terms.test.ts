import * as tf from '@tensorflow/tfjs-node-gpu';
import { fuse } from '../../../src/model/fusion';
import { lossTerms } from '../../../src/training/losses';
import { forwardDifferences, stopGradient } from '../../../src/model/differences';
import type { TrainingBatch, TrainingOutputs } from '../../../src/training/losses/loss';
import { Random } from '../../../src/training/random';

const height = 6;
const width = 8;

function map(value: (u: number, v: number) => number): tf.Tensor4D {
  const data = Float32Array.from({ length: height * width }, (_, i) => value(i % width, Math.floor(i / width)));
  return tf.tensor4d(data, [1, height, width, 1]);
}

const plane = map((u, v) => -3 + 0.02 * u + 0.1 * v);
const pose = tf.tensor2d([0.1, 0, 1, 0, 0.01, 0], [1, 6]);

function outputs(changes: Partial<TrainingOutputs> = {}): TrainingOutputs {
  const gradient = forwardDifferences(plane);
  return { logDisparity: plane, gradient, fused: fuse(plane, gradient, 0.1), poseFromPrevious: pose, ...changes };
}

const image = new Float32Array(height * width * 3).fill(0.5);
const batch: TrainingBatch = {
  size: 1,
  height,
  width,
  intrinsics: [{ width, height, fx: 8, fy: 8, cx: 3.5, cy: 2.5 }],
  target: image,
  previous: image,
  networkImages: image,
  truth: { logDisparity: plane.dataSync<'float32'>(), pose: pose.dataSync<'float32'>() },
};

function value(name: string, changes?: Partial<TrainingOutputs>): number {
  return lossTerms.get(name)!.compute(outputs(changes), batch).value.dataSync()[0];
}

test.each(['depth_truth', 'gradient_truth', 'pose_truth'])(
  '%s is zero at the truth and the mean error away from it',
  (name) => {
    expect(value(name)).toBeCloseTo(0, 4);
    const moved = {
      depth_truth: { logDisparity: tf.add(plane, 0.25) as tf.Tensor4D },
      gradient_truth: { gradient: tf.add(forwardDifferences(plane), 0.25) as tf.Tensor4D },
      pose_truth: { poseFromPrevious: tf.add(pose, 0.25) as tf.Tensor2D },
    }[name];
    // depth: |0.25| once; gradient: sum of two axes; pose: mean of three translations and three rotations counted 30 times
    const expected = { depth_truth: 0.25, gradient_truth: 0.5, pose_truth: (0.25 * (3 + 3 * 30)) / 6 }[name]!;
    expect(value(name, moved)).toBeCloseTo(expected, 3);
  },
);

test('gradient consistency is the floor of phi where depth and gradient agree, by hand where they do not', () => {
  const floor = Math.sqrt(1e-4);
  expect(value('gradient_consistency')).toBeCloseTo(4 * floor, 4); // two sides, two axes
  const off = tf.add(forwardDifferences(plane), tf.tensor1d([0.3, 0])) as tf.Tensor4D;
  // fused stays the plane, so both sides are off by 0.3 along u
  const expected = 2 * (Math.sqrt(0.09 + 1e-4) + floor);
  expect(value('gradient_consistency', { gradient: off })).toBeCloseTo(expected, 3);
});

test('neither side of gradient consistency pulls through the constant copy (H4)', () => {
  const terms = lossTerms.get('gradient_consistency')!;
  const off = tf.add(forwardDifferences(plane), 0.3) as tf.Tensor4D;
  const toFused = tf.grad(
    (fused) => terms.compute(outputs({ fused: fused as tf.Tensor4D, gradient: off }), batch).value,
  );
  // another tensor than outputs() puts in as log-disparity
  expect(tf.max(tf.abs(toFused(tf.add(plane, 0)))).dataSync()[0]).toBe(0);
  const doubled = tf.grad((x) => tf.sum(tf.mul(x, stopGradient(x as tf.Tensor4D))));
  // d(x * sg(x))/dx = x, not 2x
  expect(tf.max(tf.abs(tf.sub(doubled(plane), plane))).dataSync()[0]).toBeLessThan(1e-6);
});

test('the gradient side of gradient consistency pulls as finite differences say', () => {
  // Fusion and depth head the same: both sides are equal, and differences see twice what goes through one of them.
  const term = lossTerms.get('gradient_consistency')!;
  const at = (gradient: tf.Tensor): tf.Scalar =>
    term.compute(outputs({ gradient: gradient as tf.Tensor4D, fused: plane }), batch).value;
  const off = tf.add(forwardDifferences(plane), 0.3);
  const pull = tf.grad(at)(off).dataSync();
  const values = off.dataSync<'float32'>();
  for (let i = 0; i < values.length; i += 7) {
    const [above, below] = [1e-2, -1e-2].map((step) => {
      const moved = values.slice();
      moved[i] += step;
      return at(tf.tensor(moved, off.shape)).dataSync()[0];
    });
    expect(pull[i]).toBeCloseTo((above - below) / 2e-2 / 2, 4);
    expect(pull[i]).toBeGreaterThan(0.01);
  }
});

test('gradient smoothness leaves planes alone, depth smoothness does not', () => {
  const inner = forwardDifferences(plane);
  // The forward differences of the last column and row are zero by convention; a plane's gradient there is not, so extend it.
  const constant = tf.add(tf.zerosLike(inner), tf.tensor1d([0.02, 0.1])) as tf.Tensor4D;
  expect(value('gradient_smoothness', { gradient: constant })).toBeCloseTo(0, 6);
  expect(value('smoothness')).toBeGreaterThan(0.005);
});

test('the fusion’s gradient agrees with finite differences', () => {
  const random = new Random(3);
  const noise = (channels: number): tf.Tensor4D =>
    tf.tensor4d(
      Float32Array.from({ length: height * width * channels }, () => random.between(-1, 1)),
      [1, height, width, channels],
    );
  const [u0, gradient, weight] = [noise(1), noise(2), noise(1)];
  const f = (a: tf.Tensor4D, g: tf.Tensor4D): tf.Scalar => tf.sum(tf.mul(fuse(a, g, 0.1), weight)) as tf.Scalar;
  const analytic = tf.grads((a, g) => f(a as tf.Tensor4D, g as tf.Tensor4D))([u0, gradient]);
  [u0, gradient].forEach((input, which) => {
    const values = input.dataSync<'float32'>();
    for (let i = 0; i < values.length; i += 5) {
      const moved = [0.1, -0.1].map((step) => {
        const changed = values.slice();
        changed[i] += step;
        const tensor = tf.tensor4d(changed, input.shape);
        return (which === 0 ? f(tensor, gradient) : f(u0, tensor)).dataSync()[0];
      });
      expect(analytic[which].dataSync()[i]).toBeCloseTo((moved[0] - moved[1]) / 0.2, 3);
    }
  });
});
