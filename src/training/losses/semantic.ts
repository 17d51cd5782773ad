import * as tf from '@tensorflow/tfjs-node-gpu';
import { required, UNLABELLED, type LossTerm } from './loss';

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
    return { value, scalars: { labelled_share: labelled / labels.length } };
  },
};
