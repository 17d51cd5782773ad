/**
 * Heads of auxiliary tasks beside depth: surface normals (GeoNet, Qi et al. 2018) and semantic classes (JRN, Jafari et al. 2017). Both
 * continue from the depth decoder's map at stride 8, as the gradient head does.
 */
import * as tf from '@tensorflow/tfjs-node-gpu';
import type { NetworkBuilder } from '../layers';
import { contextChannels } from './depth';
import { gradientInputs } from './gradient';

/** Decoder channels at strides 8, 4, 2 and 1. */
const decoderChannels = [32, 24, 16, 16] as const;

function buildHead(
  builder: NetworkBuilder,
  channels: readonly number[],
  name: string,
  outputs: number,
  bias: number,
): tf.LayersModel {
  const inputs = gradientInputs(channels, contextChannels).map((count, i) =>
    tf.input({ shape: [null, null, count], name: `${name}/stride${2 << i}` }),
  );
  const options = { kernel: 3, activation: 'relu' } as const;
  let x = builder.conv(inputs[2], `${name}/conv8`, decoderChannels[0], options);
  [4, 2].forEach((stride, step) => {
    x = builder.upConcat(x, inputs[1 - step], `${name}/skip${stride}`);
    x = builder.conv(x, `${name}/conv${stride}`, decoderChannels[step + 1], options);
  });
  x = builder.conv(builder.up(x, `${name}/up1`), `${name}/conv1`, decoderChannels[3], options);
  x = builder.conv(x, `${name}/head`, outputs, { kernel: 1, gain: 0.1, bias });
  return tf.model({ name, inputs, outputs: x });
}

/**
 * @param channels of the encoder's feature maps at strides 2, 4 (more are ignored)
 * @returns model: `gradientInputs` -> normals of any length [b,h,w,3] in the camera's optical frame
 */
export function buildNormalHead(builder: NetworkBuilder, channels: readonly number[]): tf.LayersModel {
  // Away from zero, where a direction has no gradient: (-1, -1, -1) faces the camera.
  return buildHead(builder, channels, 'normals', 3, -1);
}

/** @returns model: `gradientInputs` -> logit per class [b,h,w,classes]; all classes are equally likely at first */
export function buildSemanticHead(
  builder: NetworkBuilder,
  channels: readonly number[],
  classes: number,
): tf.LayersModel {
  return buildHead(builder, channels, 'semantic', classes, 0);
}
