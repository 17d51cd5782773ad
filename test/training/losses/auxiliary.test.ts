import * as tf from '@tensorflow/tfjs-node-gpu';
import { lossTerms } from '../../../src/training/losses';
import { UNLABELLED } from '../../../src/media/labelImage';
import { meetsNeeds } from '../../../src/training/losses/loss';
import { depthNormals, normalsFromDepth, normalTruth } from '../../../src/training/losses/normals';
import { segmentationFigures, semanticCrossEntropy } from '../../../src/training/losses/semantic';
import { velocity } from '../../../src/training/losses/velocity';
import { expectGradients, noise, noiseTensor } from '../../support/gradientCheck';
import { depthOutputs, plainBatch } from '../../support/lossFixture';

const height = 6;
const width = 8;
const batch = plainBatch(1, height, width);
const [{ fx, fy, cx, cy }] = batch.intrinsics;

/** Depth of the plane n . p = -distance (n towards the camera). */
function planeDepth(n: number[], distance: number): tf.Tensor4D {
  const depth = Float32Array.from({ length: height * width }, (_, i) => {
    const [u, v] = [i % width, Math.floor(i / width)];
    return -distance / (n[0] * ((u - cx) / fx) + n[1] * ((v - cy) / fy) + n[2]);
  });
  return tf.tensor4d(depth, [1, height, width, 1]);
}

const planes = {
  'fronto-parallel wall': { n: [0, 0, -1], distance: 4 },
  'ground below the camera': { n: [0, -0.8, -0.6], distance: 1.6 },
  'slanted wall': { n: [0.6, 0, -0.8], distance: 30 },
  'near, tilted both ways': { n: [2 / 7, 3 / 7, -6 / 7], distance: 0.3 },
};

test.each(Object.entries(planes))('normals of the %s are the plane’s', (_, { n, distance }) => {
  const normals = normalsFromDepth(planeDepth(n, distance), batch.intrinsics).dataSync();
  normals.forEach((x, i) => expect(Math.abs(x - n[i % 3])).toBeLessThan(1e-4));
});

test('normal losses: 0 at the truth, 1 - cosine away from it, nothing where the truth is unknown', () => {
  const { n, distance } = planes['ground below the camera'];
  const normals = Float32Array.from({ length: height * width * 3 }, (_, i) => n[i % 3]);
  normals.fill(0, 0, 30); // ten pixels unknown
  const withTruth = { ...batch, normals };
  const outputs = depthOutputs(planeDepth(n, distance));
  expect(depthNormals.compute(outputs, withTruth).value.dataSync()[0]).toBeCloseTo(0, 5);
  const wall = depthOutputs(planeDepth([0, 0, -1], 4), { normals: tf.fill([1, height, width, 3], 0) as tf.Tensor4D });
  expect(depthNormals.compute(wall, withTruth).value.dataSync()[0]).toBeCloseTo(1 - 0.6, 4);
  const head = tf.tile(tf.tensor4d([0, -1.6, -1.2], [1, 1, 1, 3]), [1, height, width, 1]) as tf.Tensor4D; // any length
  expect(normalTruth.compute({ ...outputs, normals: head }, withTruth).value.dataSync()[0]).toBeCloseTo(0, 5);
  const turned = tf.neg(head) as tf.Tensor4D;
  expect(normalTruth.compute({ ...outputs, normals: turned }, withTruth).value.dataSync()[0]).toBeCloseTo(2, 5);
});

test('angles by hand: over the pixels with a true normal; none known is no angle', () => {
  const normals = new Float32Array(height * width * 3);
  normals.set([0, 0, -1, 0, 0, -1, 0, 0, -1]);
  const turned = (degrees: number): number[] => [
    Math.sin((degrees * Math.PI) / 180),
    0,
    -Math.cos((degrees * Math.PI) / 180),
  ];
  const head = new Float32Array(height * width * 3).fill(1);
  head.set([...turned(10), ...turned(20), ...turned(90)].map((x) => 3 * x));
  const outputs = depthOutputs(tf.ones([1, height, width, 1]), { normals: tf.tensor4d(head, [1, height, width, 3]) });
  const { scalars } = normalTruth.compute(outputs, { ...batch, normals });
  expect(scalars!.angle_degrees).toBeCloseTo(40, 1);
  expect(scalars!.within_11_degrees).toBeCloseTo(1 / 3, 6);
  expect(scalars!.known_share).toBeCloseTo(3 / (height * width), 6);
  const unknown = normalTruth.compute(outputs, { ...batch, normals: new Float32Array(normals.length) });
  expect([unknown.value.dataSync()[0], unknown.scalars]).toEqual([0, { known_share: 0 }]);
});

describe('semantic cross-entropy', () => {
  const compute = (logits: tf.Tensor, labels: number[]): tf.Scalar => {
    const semanticLogits = logits as tf.Tensor4D;
    const labelled = plainBatch(1, 1, labels.length, { labels: Uint8Array.from(labels) });
    return semanticCrossEntropy.compute(depthOutputs(tf.ones([1, 1, labels.length, 1]), { semanticLogits }), labelled)
      .value;
  };

  test('by hand: uniform logits cost ln(classes), a sure answer nothing, an unlabelled pixel nothing', () => {
    const logits = tf.tensor4d([0, 0, 0, 0, 50, 0, 7, -9, 3], [1, 1, 3, 3]);
    expect(compute(logits, [2, 1, UNLABELLED]).dataSync()[0]).toBeCloseTo(Math.log(3) / 2, 5);
    expect(compute(logits, [UNLABELLED, UNLABELLED, UNLABELLED]).dataSync()[0]).toBeCloseTo(0, 10);
  });

  test('accuracy and intersection over union by hand, over labelled pixels', () => {
    // Class 0: 1 of 2 found and 1 too many; class 1: 1 of 2 found; class 2: only answered; class 3: nowhere.
    const figures = segmentationFigures(Uint8Array.of(0, 0, 1, 1, UNLABELLED), [0, 2, 1, 0, 3], 4);
    expect(figures.pixel_accuracy).toBeCloseTo(0.5, 6);
    expect(figures.mean_iou).toBeCloseTo((1 / 3 + 1 / 2 + 0) / 3, 6);
    expect(segmentationFigures(Uint8Array.of(UNLABELLED), [0], 2)).toEqual({});
  });

  test('a class the head does not know is an error', () => {
    expect(() => compute(tf.zeros([1, 1, 1, 3]), [3])).toThrow(/class 3.*knows 3/);
  });

  test('its gradient agrees with finite differences', () => {
    expectGradients((x) => compute(x, [0, 1, UNLABELLED, 2]), [noiseTensor(3, [1, 1, 4, 3], -1, 1)]);
  });
});

describe('velocity', () => {
  const moving = plainBatch(2, 1, 1, {
    motion: {
      speed: Float32Array.of(10, 0),
      sincePrevious: Float32Array.of(0.1, 0.1),
      untilNext: Float32Array.of(0.2, 0.2),
    },
  });
  const compute = (poseFromPrevious: tf.Tensor, poseToNext?: tf.Tensor): tf.Scalar =>
    velocity.compute(
      depthOutputs(tf.ones([2, 1, 1, 1]), {
        poseFromPrevious: poseFromPrevious as tf.Tensor2D,
        poseToNext: poseToNext as tf.Tensor2D | undefined,
      }),
      moving,
    ).value;

  test('by hand, whatever the rotation; with and without a later frame', () => {
    // lengths 5 and 0.3 against 1 and 0
    const pose = tf.tensor2d([3, 0, 4, 9, 9, 9, 0, 0.3, 0, 1, 2, 3], [2, 6]);
    expect(compute(pose).dataSync()[0]).toBeCloseTo((4 + 0.3) / 2, 5);
    expect(compute(pose, pose).dataSync()[0]).toBeCloseTo((4 + 0.3 + 3 + 0.3) / 4, 5);
  });

  test('its gradient agrees with finite differences and is finite for a head that stands still', () => {
    const away = noise(5, 12, 0.2, 0.5);
    const f = (p: tf.Tensor, n: tf.Tensor): tf.Scalar => compute(p, n);
    expectGradients(f, [tf.tensor2d(away, [2, 6]), noiseTensor(6, [2, 6], -0.4, 0.4)], { step: 1e-3 });
    const still = tf.grad((p) => compute(p))(tf.zeros([2, 6]));
    expect([...still.dataSync()].every(Number.isFinite)).toBe(true);
  });
});

test('every term is left out of a batch without what it needs, and is in the registry under its own name', () => {
  const bare = plainBatch(1, 2, 2);
  for (const [name, term] of lossTerms) {
    expect(term.name).toBe(name);
    expect(meetsNeeds(term, bare)).toBe(term.needs === 'nothing');
  }
  expect(
    meetsNeeds(velocity, { ...bare, motion: { speed: Float32Array.of(1), sincePrevious: Float32Array.of(1) } }),
  ).toBe(true);
});
