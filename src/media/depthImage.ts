/** Depth images: one channel of 16 bits, in steps of a fixed part of a metre. */
import sharp from 'sharp';
import { FrameSourceError } from './frame';

/** KITTI's depth images, which do not say: metres * 256. */
export const KITTI_DEPTH_SCALE = 256;

/** Z in metres, float32 [height, width]; 0 where there is none. */
export interface DepthImage {
  readonly width: number;
  readonly height: number;
  readonly depth: Float32Array;
}

/**
 * Reads a 16-bit grey PNG as metres.
 *
 * @param stepsPerMeter what one metre is in the file  @param invalid a value that stands for none, besides 0
 * @throws FrameSourceError naming the file
 */
export async function readDepthImage(path: string, stepsPerMeter: number, invalid = 0): Promise<DepthImage> {
  try {
    const picture = sharp(path);
    const { depth: bits, channels } = await picture.metadata();
    if (bits !== 'ushort' || channels !== 1)
      throw new Error(`it has ${channels} channels of ${bits}; one of 16 bits is needed`);
    // Without the colour space named, sharp would turn the 16 bits into sRGB's 8.
    const { data, info } = await picture
      .toColourspace('grey16')
      .raw({ depth: 'ushort' })
      .toBuffer({ resolveWithObject: true });
    const steps = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
    const depth = Float32Array.from(steps, (step) => (step === invalid ? 0 : step / stepsPerMeter));
    return { width: info.width, height: info.height, depth };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FrameSourceError(path, `not a 16-bit depth image (${reason})`);
  }
}
