/**
 * Where each feature of the current frame was in the previous one: a local correlation turned into an expected displacement.
 *
 * A pose head that only sees the two feature maps side by side has to invent matching out of convolutions and learned no motion
 * in 400 supervised steps; on this displacement field it learns yaw in 100 (docs/decisions.md). Source: the correlation layer of
 * FlowNet (Dosovitskiy et al. 2015) with a soft arg-max over the displacements.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';

/** Displacements searched, in cells of the feature map: -reach..reach along columns and rows. */
export const matchReach = { columns: 3, rows: 2 } as const;
/** Inverse temperature of the soft arg-max over cosine similarities. */
export const matchSharpness = 15;
/** Keeps the norm of an empty feature vector away from zero. */
export const normEpsilon = 1e-3;

/** Displacements (column, row) in the order of the correlation's channels. */
export function displacements(): [number, number][] {
  const list: [number, number][] = [];
  for (let row = -matchReach.rows; row <= matchReach.rows; row++) {
    for (let column = -matchReach.columns; column <= matchReach.columns; column++) list.push([column, row]);
  }
  return list;
}

/** x / rms(x) over the channels, with a gradient of a third of the operations that the composition has. */
function normalised(map: tf.Tensor4D): tf.Tensor4D {
  const operation = tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    const size = tf.sqrt(tf.add(tf.mean(tf.square(x), 3, true), normEpsilon));
    const value = tf.div(x, size);
    (save as tf.GradSaveFunc)([value, size]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [y, s]: tf.Tensor[]) =>
        tf.div(tf.sub(dy, tf.mul(y, tf.mean(tf.mul(dy, y), 3, true))), s),
    };
  });
  return operation(map) as tf.Tensor4D;
}

/**
 * Mean products of each cell with its neighbours in the other map, [b,h,w,35] in the order of `displacements`; 0 outside the map.
 *
 * One matrix product per row of displacements gives every pair of columns, [.., w, w + 2 reach]; those wanted lie on a diagonal band, which
 * is straight in rows that are one longer. Eight times the multiplications of 35 shifted products, in a third of the time: those read and
 * write the whole map three times each, and twice that again for their gradients.
 */
function correlation(previous: tf.Tensor4D, current: tf.Tensor4D): tf.Tensor4D {
  const [b, h, w, c] = current.shape;
  const { columns, rows } = matchReach;
  const [wide, band] = [w + 2 * columns, 2 * columns + 1];
  const padded = tf.pad(previous, [
    [0, 0],
    [rows, rows],
    [columns, columns],
    [0, 0],
  ]);
  const cells = tf.reshape(tf.mul(current, 1 / c), [b * h, w, c]);
  const perRow = Array.from({ length: 2 * rows + 1 }, (_, row) => {
    const neighbours = tf.reshape(tf.slice(padded, [0, row, 0, 0], [b, h, wide, c]), [b * h, wide, c]);
    const pairs = tf.reshape(tf.matMul(cells, neighbours, false, true), [b * h, w * wide]);
    const straight = tf.reshape(
      tf.pad(pairs as tf.Tensor2D, [
        [0, 0],
        [0, w],
      ]),
      [b, h, w, wide + 1],
    );
    return tf.slice(straight, [0, 0, 0, 0], [b, h, w, band]);
  });
  return tf.concat(perRow, 3) as tf.Tensor4D;
}

/** [previous, current] feature maps [b,h,w,c] -> [b,h,w,3]: expected displacement (columns, rows) in cells, best similarity. */
export class MatchFlow extends tf.layers.Layer {
  static readonly className = 'MatchFlow';

  constructor(name: string) {
    super({ name });
  }

  override computeOutputShape(inputShapes: tf.Shape[]): tf.Shape {
    const [[batch, height, width]] = inputShapes;
    return [batch, height, width, 3];
  }

  override call(inputs: tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [previous, current] = inputs as tf.Tensor4D[];
      const [b, h, w] = current.shape;
      const volume = correlation(normalised(previous), normalised(current));
      const list = displacements();
      const share = tf.softmax(tf.mul(tf.reshape(volume, [b * h * w, list.length]), matchSharpness)) as tf.Tensor2D;
      const flow = tf.reshape(tf.matMul(share, tf.tensor2d(list)), [b, h, w, 2]);
      return tf.concat([flow, tf.max(volume, 3, true)], 3);
    });
  }
}
