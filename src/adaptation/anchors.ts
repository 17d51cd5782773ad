/**
 * What holds the adapted network to its frozen reference. Photometric losses with poses aligned on the step's own depth know no scale: without
 * an anchor depth runs to its limits (docs/decisions.md).
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { forwardDifferences } from '../model/differences';
import { required, type LossTerm, type TrainingOutputs } from '../training/losses/loss';

/** What the frozen reference says of a triplet's target. */
export interface ReferenceAnswer {
  /** Fused log-disparity [h,w]. */
  logDisparity: Float32Array;
  mean: number;
}

/** Log-disparity difference, and gradient difference, up to which the reference's answer pulls less than in full. */
const TOLERANCE = 0.05;
/** A shorter way in metres says nothing about scale. */
const LEAST_WAY = 0.2;
/** Largest step of the scale's target towards the measured speed's, in log: one slip of the alignment must not count for more. */
const LARGEST_CORRECTION = 0.3;

/** sqrt(x^2 + d^2) - d, mean. */
function softAbsolute(x: tf.Tensor): tf.Scalar {
  return tf.sub(tf.mean(tf.sqrt(tf.add(tf.square(x), TOLERANCE ** 2))), TOLERANCE) as tf.Scalar;
}

/**
 * The anchors of one batch.
 *
 * `reference_depth`: on the last `held` samples, replayed source frames, log-disparity of depth head and fusion and the gradient head against
 * the reference's answers: learning without forgetting (Li & Hoiem 2016).
 * `scale_anchor`: square of the batch's mean difference of log-disparity to the reference: one number per batch, the free scale, and nothing of
 * the depth's shape. Where a sample has a speed, its own target is the scale that the aligned translation lacks to speed times time.
 *
 * @param answers of the batch's samples, in their order
 * @param metric whether speeds count
 */
export function anchorTerms(answers: readonly ReferenceAnswer[], held: number, metric: boolean): LossTerm[] {
  const size = answers.length;
  const referenceDepth: LossTerm = {
    name: 'reference_depth',
    description:
      'log-disparity and gradient of source frames against the frozen reference (learning without forgetting)',
    needs: 'nothing',
    compute({ logDisparity, fused, gradient }, { height, width }) {
      if (held === 0) return { value: tf.scalar(0) };
      const first = size - held;
      const last = (map: tf.Tensor4D): tf.Tensor4D => tf.slice(map, [first, 0, 0, 0], [held, ...map.shape.slice(1)]);
      const all = new Float32Array(held * height * width);
      answers.slice(first).forEach((answer, b) => all.set(answer.logDisparity, b * height * width));
      const truth = tf.tensor4d(all, [held, height, width, 1]);
      const head = required(gradient, 'reference_depth', 'a network with a gradient head');
      const parts = [
        tf.sub(last(logDisparity), truth),
        tf.sub(last(fused), truth),
        tf.sub(last(head), forwardDifferences(truth)),
      ];
      return { value: tf.addN(parts.map(softAbsolute)) as tf.Scalar };
    },
  };
  const scaleAnchor: LossTerm = {
    name: 'scale_anchor',
    description: "squared mean log depth ratio to the frozen reference, or to the measured speed's scale",
    needs: 'nothing',
    compute(outputs, { motion }) {
      const means = tf.mean(outputs.fused, [1, 2, 3]);
      const targets = Array.from(means.dataSync<'float32'>(), (mean, b) => {
        const missing = metric && motion ? correction(outputs, motion, b) : undefined;
        return missing === undefined ? answers[b].mean : mean + missing;
      });
      const difference = tf.mean(tf.sub(means, tf.tensor1d(targets)));
      return { value: tf.square(difference) as tf.Scalar, scalars: { log_scale: difference.dataSync()[0] } };
    },
  };
  return [referenceDepth, scaleAnchor];
}

/** ln of the aligned way over the driven one, both in metres: what log-disparity must rise by to be metric; undefined where the way is too short to say. */
export function missingScale(aligned: number, driven: number): number | undefined {
  return driven >= LEAST_WAY && aligned > 1e-3 ? Math.log(aligned / driven) : undefined;
}

function correction(
  outputs: TrainingOutputs,
  { speed, sincePrevious }: { speed: Float32Array; sincePrevious: Float32Array },
  b: number,
): number | undefined {
  const poses = outputs.aligned?.poseFromPrevious.dataSync<'float32'>();
  const aligned = poses ? Math.hypot(...poses.subarray(6 * b, 6 * b + 3)) : 0;
  const missing = missingScale(aligned, speed[b] * sincePrevious[b]);
  return missing && Math.max(-LARGEST_CORRECTION, Math.min(LARGEST_CORRECTION, missing));
}
