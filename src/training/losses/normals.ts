/** Surface normals beside depth (GeoNet, Qi et al. 2018): from depth by geometry, and of a head of their own. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { Intrinsics } from '../../geometry/camera';
import { required, type LossResult, type LossTerm, type TrainingBatch } from './loss';
import { maskedMean } from './reductions';
import { cosineSimilarity } from './teacher';

/** Rays (x/z, y/z, 1) of all pixels, [b,h,w,3]. */
function rays(intrinsics: Intrinsics[], height: number, width: number): tf.Tensor4D {
  const out = new Float32Array(intrinsics.length * height * width * 3);
  let o = 0;
  for (const { fx, fy, cx, cy } of intrinsics) {
    for (let v = 0; v < height; v++) {
      for (let u = 0; u < width; u++) {
        out[o++] = (u - cx) / fx;
        out[o++] = (v - cy) / fy;
        out[o++] = 1;
      }
    }
  }
  return tf.tensor4d(out, [intrinsics.length, height, width, 3]);
}

/** a x b of vectors along the last axis. */
function cross(a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
  const [ax, ay, az] = tf.split(a, 3, 3);
  const [bx, by, bz] = tf.split(b, 3, 3);
  return tf.concat(
    [
      tf.sub(tf.mul(ay, bz), tf.mul(az, by)),
      tf.sub(tf.mul(az, bx), tf.mul(ax, bz)),
      tf.sub(tf.mul(ax, by), tf.mul(ay, bx)),
    ],
    3,
  ) as tf.Tensor4D;
}

/**
 * Unit normals of the surface z(u, v), towards the camera, in its optical frame: the cross product of the steps between
 * back-projected neighbours below and to the right. The last row and column have none and repeat their neighbour's. Exact on planes.
 *
 * @param depth metres along Z, [b,h,w,1]  @param intrinsics per sample, for maps of this size
 * @returns [b,h,w,3]
 */
export function normalsFromDepth(depth: tf.Tensor4D, intrinsics: Intrinsics[]): tf.Tensor4D {
  const [b, h, w] = depth.shape;
  // In focal lengths: steps between pixels are then about as long as depth is, and their products do not underflow.
  const { fx } = intrinsics[0];
  const points = tf.mul(tf.mul(depth, rays(intrinsics, h, w)), fx) as tf.Tensor4D;
  const part = (v: number, u: number): tf.Tensor4D => tf.slice(points, [0, v, u, 0], [b, h - 1, w - 1, 3]);
  const right = tf.sub(part(0, 1), part(0, 0)) as tf.Tensor4D;
  const below = tf.sub(part(1, 0), part(0, 0)) as tf.Tensor4D;
  const normal = cross(below, right);
  const length = tf.sqrt(tf.add(tf.sum(tf.square(normal), 3, true), 1e-12));
  const unit = tf.div(normal, length) as tf.Tensor4D;
  const wide = tf.concat([unit, tf.slice(unit, [0, 0, w - 2, 0], [b, h - 1, 1, 3])], 2);
  return tf.concat([wide, tf.slice(wide, [0, h - 2, 0, 0], [b, 1, w, 3])], 1);
}

function truthOf(batch: TrainingBatch, term: string): { normals: tf.Tensor4D; valid: tf.Tensor4D } {
  const values = required(batch.normals, term, 'a batch with surface normals');
  const normals = tf.tensor4d(values, [batch.size, batch.height, batch.width, 3]);
  const valid = tf.cast(tf.greater(tf.sum(tf.square(normals), 3, true), 0.5), 'float32') as tf.Tensor4D;
  return { normals, valid };
}

/** Angle up to which an estimated normal counts as right (Eigen & Fergus 2015, the first of their three). */
const RIGHT_DEGREES = 11.25;

/** Mean 1 - n . n* over the pixels with a true normal, and the angles between them. */
function compare(estimate: tf.Tensor4D, batch: TrainingBatch, term: string): LossResult {
  const { normals, valid } = truthOf(batch, term);
  const cosine = cosineSimilarity(estimate, normals);
  const known = valid.dataSync<'float32'>();
  let [count, sum, right] = [0, 0, 0];
  cosine.dataSync<'float32'>().forEach((cos, i) => {
    if (known[i] === 0) return;
    const degrees = (180 / Math.PI) * Math.acos(Math.min(1, Math.max(-1, cos)));
    count++;
    sum += degrees;
    if (degrees < RIGHT_DEGREES) right++;
  });
  const value = maskedMean(tf.sub(1, cosine) as tf.Tensor4D, valid);
  // A batch without any normal says nothing about the angle.
  if (count === 0) return { value, scalars: { known_share: 0 } };
  const scalars = { angle_degrees: sum / count, within_11_degrees: right / count, known_share: count / known.length };
  return { value, scalars };
}

export const normalTruth: LossTerm = {
  name: 'normal_truth',
  description: '1 - cosine between the surface normal head and true normals (GeoNet)',
  needs: 'normals',
  compute(outputs, batch) {
    const head = required(outputs.normals, normalTruth.name, 'a network with a surface normal head');
    return compare(head, batch, normalTruth.name);
  },
};

export const depthNormals: LossTerm = {
  name: 'depth_normals',
  description: '1 - cosine between the normals of the estimated depth and true normals (GeoNet’s depth-to-normal)',
  needs: 'normals',
  compute({ fused }, batch) {
    const own = normalsFromDepth(tf.exp(tf.neg(fused)), batch.intrinsics);
    return compare(own, batch, depthNormals.name);
  },
};
