/** Sampling along image rows, the warp of a rectified stereo pair. */
import * as tf from '@tensorflow/tfjs-node-gpu';

// Looking up a global is slow inside jest's sandbox, and this is done per pixel.
const { floor, max, min } = Math;

/**
 * out(v, u) = source(v, u + shift(v, u)), linear between columns; beyond the border the border's pixel. Differentiable in both.
 *
 * @param source [b,h,w,c]  @param shift pixels, [b,h,w,1]
 * @returns [b,h,w,c]
 */
export function sampleAlongRows(source: tf.Tensor4D, shift: tf.Tensor4D): tf.Tensor4D {
  const [size, height, width, channels] = source.shape;
  const operation = tf.customGrad((...inputs) => {
    const [image, offset] = (inputs as tf.Tensor[]).slice(0, 2);
    const from = image.dataSync<'float32'>();
    const by = offset.dataSync<'float32'>();
    const count = size * height * width;
    const left = new Int32Array(count);
    const fraction = new Float32Array(count);
    const inside = new Uint8Array(count);
    const out = new Float32Array(count * channels);
    for (let i = 0; i < count; i++) {
      const column = i % width;
      const wanted = column + by[i];
      inside[i] = wanted >= 0 && wanted <= width - 1 ? 1 : 0;
      const x = min(width - 1, max(0, wanted));
      const x0 = min(width - 2, floor(x));
      left[i] = (i - column + x0) * channels;
      fraction[i] = x - x0;
      for (let c = 0; c < channels; c++) {
        const a = from[left[i] + c];
        out[i * channels + c] = a + fraction[i] * (from[left[i] + channels + c] - a);
      }
    }
    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
      const pull = dy.dataSync<'float32'>();
      const gradSource = new Float32Array(from.length);
      const gradShift = new Float32Array(count);
      for (let i = 0; i < count; i++) {
        for (let c = 0; c < channels; c++) {
          const g = pull[i * channels + c];
          const p = left[i] + c;
          gradSource[p] += g * (1 - fraction[i]);
          gradSource[p + channels] += g * fraction[i];
          if (inside[i]) gradShift[i] += g * (from[p + channels] - from[p]);
        }
      }
      return [tf.tensor(gradSource, image.shape), tf.tensor(gradShift, offset.shape)];
    };
    return { value: tf.tensor(out, source.shape), gradFunc };
  });
  return operation(source, shift) as tf.Tensor4D;
}
