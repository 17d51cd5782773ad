import * as tf from '@tensorflow/tfjs-node-gpu';
import { Random } from '../../src/training/random';

/** Reproducible numbers in [low, high). */
export function noise(seed: number, length: number, low: number, high: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length }, () => random.between(low, high));
}

/** A tensor of such numbers. */
export function noiseTensor(seed: number, shape: number[], low: number, high: number): tf.Tensor {
  return tf.tensor(
    noise(
      seed,
      shape.reduce((product, n) => product * n, 1),
      low,
      high,
    ),
    shape,
  );
}

/** Central difference and analytic derivative of one input number. */
export interface Comparison {
  input: number;
  index: number;
  analytic: number;
  numeric: number;
}

/**
 * Compares backpropagation through a scalar function with central differences in every number of every input (or in those `kept`
 * says), and throws naming the first that disagree.
 *
 * @param branch what f decided at its last call (such as how many pixels stayed in the image): a difference across a change of it
 *   is no derivative and is skipped; at least half must remain
 */
export function expectGradients(
  f: (...inputs: tf.Tensor[]) => tf.Scalar,
  inputs: tf.Tensor[],
  {
    step = 1e-2,
    tolerance = 2e-2,
    kept = (_input: number, _index: number): boolean => true,
    branch = (): number => 0,
  } = {},
): void {
  const analytic = tf
    .grads((...xs: tf.Tensor[]) => f(...xs))(inputs)
    .map((g) => g.dataSync<'float32'>());
  const comparisons: Comparison[] = [];
  let tried = 0;
  inputs.forEach((input, which) => {
    const values = input.dataSync<'float32'>();
    for (let i = 0; i < values.length; i++) {
      if (!kept(which, i)) continue;
      const branches: number[] = [];
      const [above, below] = [step, -step].map((change) =>
        tf.tidy(() => {
          const moved = values.slice();
          moved[i] += change;
          const changed = inputs.map((x, other) => (other === which ? tf.tensor(moved, x.shape) : x));
          const value = f(...changed).dataSync()[0];
          branches.push(branch());
          return value;
        }),
      );
      tried++;
      if (branches[0] !== branches[1]) continue;
      comparisons.push({ input: which, index: i, analytic: analytic[which][i], numeric: (above - below) / (2 * step) });
    }
  });
  if (comparisons.length < tried / 2) throw new Error(`only ${comparisons.length} of ${tried} differences can be used`);
  const largest = Math.max(...comparisons.map(({ numeric }) => Math.abs(numeric)));
  if (!(largest > 0)) throw new Error('the function does not depend on its inputs: nothing was checked');
  const wrong = comparisons.filter(({ analytic: a, numeric: n }) => !(Math.abs(a - n) <= tolerance * largest));
  if (wrong.length > 0) {
    const shown = wrong.slice(0, 5).map((c) => JSON.stringify(c));
    throw new Error(
      `${wrong.length} of ${comparisons.length} derivatives are wrong (largest is ${largest}): ${shown.join(' ')}`,
    );
  }
}
