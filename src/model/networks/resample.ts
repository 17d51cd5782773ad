/** Layers that change a map's size, beside those of ../layers.ts. */
import * as tf from '@tensorflow/tfjs-node-gpu';

/** Rows of linear interpolation from `from` to `to` pixels, pixel centres at integers: output o reads input (o + .5) from/to - .5. */
export function interpolationMatrix(from: number, to: number): Float32Array {
  const matrix = new Float32Array(to * from);
  for (let o = 0; o < to; o++) {
    const at = Math.min(from - 1, Math.max(0, ((o + 0.5) * from) / to - 0.5));
    const low = Math.min(Math.max(0, from - 2), Math.floor(at));
    matrix[o * from + low] += 1 - (at - low);
    if (from > 1) matrix[o * from + low + 1] += at - low;
  }
  return matrix;
}

/**
 * [b,h,w,1] -> [b,height,width,1], bilinear with half-pixel centres, as two matrix products, whose gradient is checked by finite
 * differences; the gradient kernel of tfjs's resizeBilinear takes no half-pixel option.
 */
export function resizeMap(map: tf.Tensor4D, height: number, width: number): tf.Tensor4D {
  const [b, h, w] = map.shape;
  const rows = tf.tensor2d(interpolationMatrix(h, height), [height, h]);
  const columns = tf.tensor2d(interpolationMatrix(w, width), [width, w]);
  const wide = tf.matMul(tf.reshape(map, [b * h, w]), columns, false, true);
  const turned = tf.reshape(tf.transpose(tf.reshape(wide, [b, h, width]), [0, 2, 1]), [b * width, h]);
  const tall = tf.reshape(tf.matMul(turned, rows, false, true), [b, width, height]);
  return tf.reshape(tf.transpose(tall, [0, 2, 1]), [b, height, width, 1]);
}

export type Unpooling = 'zeros' | 'average';

/** out(2v + i, 2u + j) = phases[2 i + j](v, u): four maps [b,h,w,c] -> [b,2h,2w,c]. */
export function interleave([p00, p01, p10, p11]: tf.Tensor4D[]): tf.Tensor4D {
  const [b, h, w, c] = p00.shape;
  const even = tf.reshape(tf.concat([p00, p01], 3), [b, h, 2 * w, c]);
  const odd = tf.reshape(tf.concat([p10, p11], 3), [b, h, 2 * w, c]);
  return tf.reshape(tf.concat([even, odd], 2), [b, 2 * h, 2 * w, c]);
}

/** The map moved one pixel to the left (axis 2) or up (axis 1), the last pixel repeated. */
function neighbour(map: tf.Tensor4D, axis: 1 | 2): tf.Tensor4D {
  const length = map.shape[axis];
  const part = (start: number, count: number): tf.Tensor4D => {
    const begin: [number, number, number, number] = [0, 0, 0, 0];
    const size = map.shape.slice() as typeof map.shape;
    begin[axis] = start;
    size[axis] = count;
    return tf.slice(map, begin, size);
  };
  return tf.concat(length > 1 ? [part(1, length - 1), part(length - 1, 1)] : [map], axis);
}

/**
 * Doubles height and width: every entry goes to the top left of its 2x2 cell; the rest of the cell is zero, or the average of the two
 * nearest entries (of all four in the corner between them). [b,h,w,c] -> [b,2h,2w,c] (Laina et al. 2016; CNN-residual).
 */
export function unpool(map: tf.Tensor4D, filling: Unpooling): tf.Tensor4D {
  if (filling === 'zeros') {
    const zeros = tf.zerosLike(map);
    return interleave([map, zeros, zeros, zeros]);
  }
  const half = (a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D => tf.mul(tf.add(a, b), 0.5);
  const right = half(map, neighbour(map, 2));
  const below = half(map, neighbour(map, 1));
  return interleave([map, right, below, half(right, neighbour(right, 1))]);
}

/** Kernel rows or columns `first`, `first + 2`, .. of a 5-tap axis. */
function everySecond(kernel: tf.Tensor4D, axis: 0 | 1, first: 0 | 1): tf.Tensor4D {
  const taps = first === 0 ? [0, 2, 4] : [1, 3];
  const parts = taps.map((tap) => {
    const begin: [number, number, number, number] = [0, 0, 0, 0];
    const size = kernel.shape.slice() as typeof kernel.shape;
    begin[axis] = tap;
    size[axis] = 1;
    return tf.slice(kernel, begin, size);
  });
  return tf.concat(parts, axis);
}

/**
 * Zero-unpooling and a 5x5 convolution in one: as three of four entries are zero, each phase of the output is a 3x3, 3x2, 2x3 or 2x2
 * convolution of the small map (Laina et al. 2016, fig. 3), a quarter of the multiply-adds.
 *
 * @param map [b,h,w,c]  @param kernel [5,5,c,filters]  @returns [b,2h,2w,filters]
 */
export function interleavedConvolution(map: tf.Tensor4D, kernel: tf.Tensor4D): tf.Tensor4D {
  const phase = (row: 0 | 1, column: 0 | 1): tf.Tensor4D =>
    tf.conv2d(map, everySecond(everySecond(kernel, 0, row), 1, column), 1, 'same');
  return interleave([phase(0, 0), phase(0, 1), phase(1, 0), phase(1, 1)]);
}

/** Unpooling and a 5x5 convolution with bias: [b,h,w,c] -> [b,2h,2w,filters]. */
export class UpConvolution extends tf.layers.Layer {
  static readonly className = 'UpConvolution';
  #kernel: tf.LayerVariable | undefined;
  #bias: tf.LayerVariable | undefined;

  constructor(
    name: string,
    readonly filters: number,
    readonly filling: Unpooling,
  ) {
    super({ name });
  }

  override build(inputShape: tf.Shape): void {
    const initializer = tf.initializers.zeros();
    this.#kernel = this.addWeight('kernel', [5, 5, inputShape[3], this.filters], 'float32', initializer);
    this.#bias = this.addWeight('bias', [this.filters], 'float32', initializer);
    this.built = true;
  }

  override computeOutputShape([batch, height, width]: tf.Shape): tf.Shape {
    return [batch, height === null ? null : 2 * height, width === null ? null : 2 * width, this.filters];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const map = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor4D;
      const kernel = this.#kernel!.read() as tf.Tensor4D;
      const convolved =
        this.filling === 'zeros'
          ? interleavedConvolution(map, kernel)
          : tf.conv2d(unpool(map, this.filling), kernel, 1, 'same');
      return tf.add(convolved, this.#bias!.read());
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), filters: this.filters, filling: this.filling };
  }
}
