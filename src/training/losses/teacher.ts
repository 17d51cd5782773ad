/** Depth Anything (Yang et al. 2024): a student learns from a teacher's pseudo-labels and keeps a frozen encoder's semantics. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { affineInvariantError } from './affineInvariant';
import { required, type LossTerm } from './loss';

/** Feature pixels closer than this (cosine) are left alone: depth may differ inside an object whose semantics are one. */
const ALIGNED_COSINE = 0.85;
/** Keeps the norm of an empty feature vector away from zero. */
const NORM_EPSILON = 1e-12;

/**
 * Affine-invariant L1 between the student's disparity and the teacher's. Under CutMix the pasted rectangle and the rest are
 * normalised and compared each for itself and weighted by their areas (Depth Anything eq. 7 to 9), because they come from two
 * images with scales of their own.
 */
export const teacherDisparity: LossTerm = {
  name: 'teacher_disparity',
  description: 'affine-invariant L1 against a teacher’s disparity, CutMix regions apart (Depth Anything)',
  needs: 'teacher',
  compute({ fused }, batch) {
    const teacher = required(batch.teacher, teacherDisparity.name, 'a batch with a teacher’s labels');
    const shape: [number, number, number, number] = [batch.size, batch.height, batch.width, 1];
    const truth = tf.tensor4d(teacher.disparity, shape);
    const estimate = tf.exp(fused) as tf.Tensor4D;
    if (!teacher.pasted) return { value: affineInvariantError(estimate, truth, tf.ones(shape)) };
    const pasted = tf.tensor4d(Float32Array.from(teacher.pasted), shape);
    const share = tf.mean(pasted).dataSync()[0];
    const inside = tf.mul(affineInvariantError(estimate, truth, pasted), share);
    const outside = tf.mul(affineInvariantError(estimate, truth, tf.sub(1, pasted)), 1 - share);
    return { value: tf.add(inside, outside) as tf.Scalar, scalars: { pasted_share: share } };
  },
};

/** cos(f, f') per pixel of two feature maps [b,h,w,c], [b,h,w,1]. */
export function cosineSimilarity(a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
  const norm = (x: tf.Tensor4D): tf.Tensor => tf.sqrt(tf.add(tf.sum(tf.square(x), 3, true), NORM_EPSILON));
  return tf.div(tf.sum(tf.mul(a, b), 3, true), tf.mul(norm(a), norm(b))) as tf.Tensor4D;
}

/** 1 - mean cos(f, f') over the feature pixels whose cosine is not yet above 0.85; 0 when all are. */
export const featureAlignment: LossTerm = {
  name: 'feature_alignment',
  description:
    '1 - cosine between encoder features and a frozen encoder’s, pixels above 0.85 left alone (Depth Anything)',
  needs: 'teacher',
  compute({ features, frozenFeatures }) {
    const what = 'a network of kind depthgrad with frozen_encoder: true';
    const own = required(features, featureAlignment.name, what);
    const cosine = cosineSimilarity(own, required(frozenFeatures, featureAlignment.name, what));
    const apart = tf.sub(1, tf.step(tf.sub(cosine, ALIGNED_COSINE))); // a comparison has no gradient in tfjs
    const count = tf.sum(apart).dataSync()[0];
    const value = tf.div(tf.sum(tf.mul(tf.sub(1, cosine), apart)), Math.max(1, count)) as tf.Scalar;
    return { value, scalars: { mean_cosine: tf.mean(cosine).dataSync()[0], apart_share: count / cosine.size } };
  },
};
