/** Frames with measured depth of a recording in any layout, at their own size. */
import type { Intrinsics } from '../../geometry/camera';
import { splitAt } from '../datasets/dataset';
import { openRecording } from '../datasets/openRecording';
import type { OpenRecordingOptions } from '../datasets/recording';

export interface DepthFrame {
  readonly width: number;
  readonly height: number;
  readonly intrinsics: Intrinsics;
  /** rgb8 [height, width, 3]; the buffer may be reused for the next frame. */
  readonly image: Uint8Array;
  /** Metres [height, width]; 0 where there is none. */
  readonly depth: Float32Array;
}

/** All frames, or those a recipe trains on, or the last fifth, which no recipe trains on. */
export type DatasetPart = 'all' | 'train' | 'heldOut';

export interface DepthDatasetOptions extends OpenRecordingOptions {
  /** Default: all. */
  readonly part?: DatasetPart;
  /** Leaves out every n-th frame with depth, from the first on: those a recipe with `data.depth_every: n` trained on. */
  readonly withoutEvery?: number;
}

export interface DepthDataset {
  readonly path: string;
  /** Frames of the recording that are read, with depth or without; undefined where only reading tells. */
  readonly frameCount?: number;
  /** Frames with depth, in order, one at a time; `index` counts all frames. */
  frames(): AsyncIterable<DepthFrame & { readonly index: number }>;
}

/** @throws FrameSourceError naming the file that is missing or does not fit; Error when a part of an endless recording is asked for */
export async function openDepthDataset(path: string, options: DepthDatasetOptions = {}): Promise<DepthDataset> {
  const { part = 'all', withoutEvery } = options;
  const recording = await openRecording(path, options);
  const { frameCount } = recording;
  const { intrinsics } = recording.camera;
  const { width, height } = intrinsics;
  if (part !== 'all' && frameCount === undefined) {
    await recording.close();
    throw new Error(`${path}: how many frames it has is not known before they are read; evaluate all of it`);
  }
  const [first, end] = part === 'all' ? [0, frameCount ?? Infinity] : splitAt(frameCount ?? 0)[part];

  async function* frames(): AsyncGenerator<DepthFrame & { index: number }> {
    let index = 0;
    let measured = 0;
    try {
      for await (const { image, depth } of recording.frames()) {
        if (index >= end) break;
        const isLeftOut = withoutEvery !== undefined && depth !== undefined && measured++ % withoutEvery === 0;
        if (index >= first && depth && !isLeftOut) yield { index, width, height, intrinsics, image, depth };
        index++;
      }
    } finally {
      await recording.close();
    }
  }

  return { path, frameCount, frames };
}
