/** Rendered scenes as a drive, and a small model that knows them: what the adaptation's tests learn from. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Intrinsics } from '../../src/geometry/camera';
import { DepthNetwork } from '../../src/model/network';
import { buildOnnx } from '../../src/model/onnx/exportOnnx';
import { loadModelFromOnnx } from '../../src/model/onnx/loadOnnx';
import { splitAt, type FrameSequence } from '../../src/training/datasets/dataset';
import { SyntheticScenes } from '../../src/training/datasets/synthetic';

export const SMALL = { height: 64, width: 128 } as const;

/** Changes the colours of a place, levels 0..255. */
export type Tint = (level: number, channel: number) => number;

/** Evening: warm, dark and of low contrast. */
export const evening: Tint = (level, channel) => 30 + level * [0.75, 0.55, 0.4][channel];

export class RenderedDrive implements FrameSequence {
  readonly framesPerSecond = 10;
  readonly count: number;
  readonly height = SMALL.height;
  readonly width = SMALL.width;
  readonly intrinsics: Intrinsics;
  readonly motion: Float32Array;
  readonly #images: Uint8Array[];

  /** @param scene number of the rendered scene, which decides on road, speed and camera */
  constructor(
    readonly name: string,
    scene: number,
    frames: number,
    tint: Tint = (level) => level,
  ) {
    const { images, intrinsics } = new SyntheticScenes(3).render(scene, this.height, this.width, frames);
    this.count = frames;
    this.intrinsics = intrinsics;
    this.#images = images.map((image) => image.map((level, i) => Math.min(255, tint(level, i % 3))));
    this.motion = Float32Array.from(this.#images, (image, i) => {
      const next = this.#images[i + 1];
      return next ? image.reduce((sum, level, at) => sum + Math.abs(level - next[at]), 0) / image.length : 0;
    });
  }

  readFrame(index: number, into: Uint8Array): void {
    into.set(this.#images[index]);
  }

  split(): ReturnType<typeof splitAt> {
    return splitAt(this.count);
  }
}

/** The default model's weights at a size that a test has time for. */
export function smallModel(): Uint8Array {
  const { network, metadata } = loadModelFromOnnx(join(__dirname, '../../models/default.onnx'));
  const small = DepthNetwork.create({ ...network.config, ...SMALL });
  small.setWeights(network.getWeights());
  const { name, encoder, intrinsics } = metadata;
  const bytes = buildOnnx(small, { name, encoder, intrinsics, version: '2', ...SMALL });
  network.dispose();
  small.dispose();
  return bytes;
}

/** The bytes of a file, for comparing them. */
export function bytesOf(folder: string, file: string): Buffer {
  return readFileSync(join(folder, file));
}
