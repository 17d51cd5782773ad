/**
 * The gradients of tf.relu and tf.relu6 as TensorFlow's own kernels; importing this file registers them. tfjs writes them as comparisons,
 * NaN tests, selections, casts and products over the whole map.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { execute } from './execute';

for (const name of ['Relu', 'Relu6']) {
  tf.unregisterGradient(name);
  tf.registerGradient({
    kernelName: name,
    // 0 where the output is at an end of its range, so that the input need not be kept.
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({ x: () => execute(`${name}Grad`, [dy as tf.Tensor, y]) }),
  });
}
