/** The registry of encoders: adding one is adding a file here and a line in `encoders`. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { Affine, type NetworkBuilder } from '../layers';
import { dispnet } from './dispnet';
import { lite0 } from './lite0';
import { resnet18 } from './resnet18';

export interface Encoder {
  /** Channels of the feature maps at strides 2, 4, 8, 16 and 32. */
  readonly channels: readonly [number, number, number, number, number];
  /** The image (0..1) enters as image * scale + offset. */
  readonly normalisation: { readonly scale: number; readonly offset: number };
  /**
   * @param image normalised rgb, [b, h, w, 3]; h and w are multiples of 8
   * @returns feature maps [b, ceil(h/s), ceil(w/s), channels] at strides s = 2, 4, 8, 16, 32
   */
  build(builder: NetworkBuilder, image: tf.SymbolicTensor): tf.SymbolicTensor[];
}

export const encoders = { lite0, dispnet, resnet18 } as const satisfies Record<string, Encoder>;

export type EncoderName = keyof typeof encoders;

export function isEncoderName(name: string): name is EncoderName {
  return Object.hasOwn(encoders, name);
}

/** @returns the encoder as a model of images [b, h, w, 3] with rgb in 0..1, whose outputs are its feature maps */
export function encoderModel(builder: NetworkBuilder, { build, normalisation }: Encoder): tf.LayersModel {
  const image = tf.input({ shape: [null, null, 3], name: 'encoder/image' });
  const normalised = new Affine('encoder/normalise', normalisation).apply(image) as tf.SymbolicTensor;
  return tf.model({ name: 'encoder', inputs: image, outputs: build(builder, normalised) });
}

/** @throws Error naming the known encoders when `name` is none of them */
export function encoderByName(name: string): Encoder {
  if (!isEncoderName(name)) {
    throw new Error(`unknown encoder '${name}'; known are ${Object.keys(encoders).join(', ')}`);
  }
  return encoders[name];
}
