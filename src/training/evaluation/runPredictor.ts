/** The network of a training run as a depth predictor: for runs not exported yet. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { RGB8 } from '../../geometry/areaResize';
import { ImageResizer } from '../../geometry/imageResizer';
import { tidied } from '../../model/tidied';
import { openRun } from '../trainedRun';
import { resizeDepth, type DepthPredictor } from './evaluate';

export interface RunPredictorOptions {
  /** The checkpoint with the lowest validation figure in place of the last one. */
  best?: boolean;
  /** The depth head alone, before the fusion. */
  depthHead?: boolean;
}

/**
 * Averaged weights, at the recipe's network.height x width; the image is shrunk by area, as the nodes do.
 *
 * @throws Error naming the run folder's file that is missing, damaged or of another network
 */
export function runPredictor(run: string, { best, depthHead }: RunPredictorOptions = {}): DepthPredictor {
  const { recipe, network } = openRun(run, best);
  const { height, width } = recipe.network;
  const shrunk = new Uint8Array(height * width * 3);
  const resizer = new ImageResizer();
  return async (frame) => {
    const image = { ...frame, step: 3 * frame.width, layout: RGB8, data: frame.image };
    resizer.resize(image, width, height, shrunk);
    const input = Float32Array.from(shrunk, (level) => level / 255);
    const depth = tidied(() => {
      const { logDisparity, fused } = network.estimate(tf.tensor4d(input, [1, height, width, 3]));
      return tf.exp(tf.neg(depthHead ? logDisparity : fused)).dataSync<'float32'>();
    });
    return resizeDepth(depth, height, width, frame.height, frame.width);
  };
}
