import * as tf from '@tensorflow/tfjs-node-gpu';

/**
 * tf.tidy for work that returns numbers, no tensors. tf.tidy itself looks for tensors to keep in all that it is handed back, at every
 * element of a typed array: 25 ms for the encoder's answers to three frames of 128x416.
 */
export function tidied<Result>(work: () => Result): Result {
  let result: { value: Result } | undefined;
  tf.tidy(() => {
    result = { value: work() };
  });
  return result!.value;
}
