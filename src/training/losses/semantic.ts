import * as tf from '@tensorflow/tfjs-node-gpu';
import { UNLABELLED } from '../../media/labelImage';
import { required, type LossTerm } from './loss';

/**
 * Pixel accuracy, and the mean over the classes that the labels or the answers show of intersection over union (Pascal VOC), over labelled
 * pixels. Empty where none is labelled. Of one batch: rare classes count more than in a whole data set's mean IoU.
 *
 * @param labels class per pixel, UNLABELLED where nobody said  @param found the same, answered
 */
export function segmentationFigures(
  labels: Uint8Array,
  found: ArrayLike<number>,
  classes: number,
): Record<string, number> {
  const [truth, answers, both] = [0, 1, 2].map(() => new Uint32Array(classes));
  labels.forEach((label, i) => {
    if (label === UNLABELLED) return;
    truth[label]++;
    answers[found[i]]++;
    if (found[i] === label) both[label]++;
  });
  const labelled = truth.reduce((sum, count) => sum + count, 0);
  if (labelled === 0) return {};
  const ious = Array.from(truth, (count, k) => both[k] / (count + answers[k] - both[k])).filter(Number.isFinite);
  return {
    pixel_accuracy: both.reduce((sum, count) => sum + count, 0) / labelled,
    mean_iou: ious.reduce((sum, iou) => sum + iou, 0) / ious.length,
  };
}

/** Mean -ln softmax(logits)[label] over labelled pixels (JRN, Jafari et al. 2017: semantic labels beside depth). */
export const semanticCrossEntropy: LossTerm = {
  name: 'semantic_cross_entropy',
  description: 'cross-entropy of the semantic head over labelled pixels (JRN)',
  needs: 'labels',
  compute({ semanticLogits }, batch) {
    const logits = required(semanticLogits, semanticCrossEntropy.name, 'a network with a semantic head');
    const labels = required(batch.labels, semanticCrossEntropy.name, 'a batch with class labels');
    const classes = logits.shape[3];
    const wanted = new Float32Array(labels.length * classes);
    let labelled = 0;
    labels.forEach((label, i) => {
      if (label === UNLABELLED) return;
      if (label >= classes)
        throw new Error(
          `a label image has class ${label}, the semantic head knows ${classes}: raise its classes or map the labels`,
        );
      wanted[i * classes + label] = 1;
      labelled++;
    });
    const chosen = tf.mul(tf.logSoftmax(logits), tf.tensor4d(wanted, logits.shape));
    const value = tf.div(tf.neg(tf.sum(chosen)), Math.max(1, labelled)) as tf.Scalar;
    const found = tf.argMax(logits, 3).dataSync<'int32'>();
    return {
      value,
      scalars: { ...segmentationFigures(labels, found, classes), labelled_share: labelled / labels.length },
    };
  },
};
