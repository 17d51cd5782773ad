/**
 * Adam on one flat vector. tf.train.adam runs about ten small operations per variable and step, which is dispatch, not arithmetic;
 * here the gradients of all variables are read once and the update is one loop (native/adam.cc).
 *
 * Source: Kingma & Ba 2015. With decoupled global-norm clipping and an exponential moving average of the weights.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { native } from '../native';

export interface AdamOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Gradients are scaled down so that their global norm is at most this. */
  clipNorm: number;
  /** Decay of the averaged weights that are evaluated and exported. */
  emaDecay: number;
  /**
   * L2: this times the weight is added to the (clipped) gradient of every kernel, the derivative of weightDecay / 2 |w|^2 (Keras'
   * l2(x) is 2 x here). Biases and batch normalisation are left alone. It goes through Adam's moments; AdamW's decay does not.
   */
  weightDecay: number;
}

export const defaultAdam: AdamOptions = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  clipNorm: 5,
  emaDecay: 0.998,
  weightDecay: 0,
};

/** `../kernel` and `../depthwise_kernel`. */
function isKernel(name: string): boolean {
  return /(^|\/)(depthwise_)?kernel$/.test(name);
}

/** State of one variable; the three vectors have its length. */
export interface AdamSlot {
  readonly name: string;
  readonly variable: tf.Variable;
  readonly weights: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  readonly average: Float32Array;
}

export class FlatAdam {
  readonly slots: AdamSlot[];
  step = 0;

  constructor(
    variables: ReadonlyMap<string, tf.Variable>,
    readonly options: AdamOptions = defaultAdam,
  ) {
    this.slots = [...variables].map(([name, variable]) => {
      const weights = Float32Array.from(variable.dataSync<'float32'>());
      return {
        name,
        variable,
        weights,
        firstMoment: new Float32Array(weights.length),
        secondMoment: new Float32Array(weights.length),
        average: Float32Array.from(weights),
      };
    });
  }

  /**
   * One update. A slot without a gradient (a head the step's losses do not reach) keeps its weights and moments.
   *
   * @param gradients by the variables' tfjs names, as tf.variableGrads gives them  @param rate learning rate of a variable, 0 leaves it alone
   * @returns the gradients' global norm before clipping and without weight decay; NaN or infinite means nothing was changed
   */
  apply(gradients: Record<string, tf.Tensor>, rate: (name: string) => number): number {
    const { beta1, beta2, epsilon, clipNorm, emaDecay, weightDecay } = this.options;
    const read = this.slots.map((slot) => gradients[slot.variable.name]?.dataSync<'float32'>());
    let squared = 0;
    for (const gradient of read) {
      if (gradient) squared += native.sumOfSquares(gradient);
    }
    const norm = Math.sqrt(squared);
    if (!Number.isFinite(norm)) return norm;
    const clip = Math.min(1, clipNorm / (norm + 1e-12));
    this.step++;
    const correction1 = 1 - beta1 ** this.step;
    const correction2 = Math.sqrt(1 - beta2 ** this.step);
    // Early averages follow the weights closely, so that the random start is forgotten.
    const decay = Math.min(emaDecay, (1 + this.step) / (10 + this.step));
    this.slots.forEach(({ name, variable, weights, firstMoment, secondMoment, average }, index) => {
      const gradient = read[index];
      const learningRate = rate(name);
      if (gradient && learningRate > 0) {
        const scale = (learningRate * correction2) / correction1;
        const pull = isKernel(name) ? weightDecay : 0;
        const factors = Float32Array.of(clip, pull, beta1, beta2, scale, epsilon * correction2, 1 - decay);
        native.adam(factors, gradient, weights, firstMoment, secondMoment, average);
        // Not copied: until the next update, after which the variable is another tensor, nothing changes them.
        const updated = tf.tensor(weights, variable.shape);
        variable.assign(updated);
        updated.dispose();
      } else {
        native.moveAverage(1 - decay, weights, average);
      }
    });
    return norm;
  }

  /** Runs `look` with the averaged weights in the network's variables, then puts the trained ones back. */
  withAverages<Result>(look: () => Result): Result {
    const assign = (part: 'average' | 'weights'): void => {
      for (const slot of this.slots)
        tf.tidy(() => slot.variable.assign(tf.tensor(slot[part].slice(), slot.variable.shape)));
    };
    assign('average');
    try {
      return look();
    } finally {
      assign('weights');
    }
  }

  /** Sets a slot's state, as read from a checkpoint. */
  restore(name: string, state: Pick<AdamSlot, 'weights' | 'firstMoment' | 'secondMoment' | 'average'>): void {
    const slot = this.slots.find((s) => s.name === name);
    if (!slot) throw new Error(`checkpoint holds "${name}", which the network does not have`);
    for (const key of ['weights', 'firstMoment', 'secondMoment', 'average'] as const) {
      if (state[key].length !== slot[key].length)
        throw new Error(
          `checkpoint: ${key} of "${name}" has ${state[key].length} numbers, the network has ${slot[key].length}`,
        );
      slot[key].set(state[key]);
    }
    tf.tidy(() => slot.variable.assign(tf.tensor(slot.weights.slice(), slot.variable.shape)));
  }
}
