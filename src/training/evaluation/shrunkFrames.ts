/** A drive's frames as a network takes them. */
import { AreaResizer, RGB8 } from '../../geometry/areaResize';
import type { FrameSequence } from '../datasets/dataset';

/** Reads frames of a drive at the network's size, as bytes and as floats in 0..1. */
export class ShrunkFrames {
  readonly #full: Uint8Array;
  readonly #resizer: AreaResizer;

  constructor(
    private readonly drive: FrameSequence,
    private readonly height: number,
    private readonly width: number,
  ) {
    this.#full = new Uint8Array(drive.width * drive.height * 3);
    this.#resizer = new AreaResizer({
      width: drive.width,
      height: drive.height,
      step: drive.width * 3,
      layout: RGB8,
      outputWidth: width,
      outputHeight: height,
    });
  }

  read(index: number): { bytes: Uint8Array; image: Float32Array } {
    this.drive.readFrame(index, this.#full);
    const bytes = new Uint8Array(this.height * this.width * 3);
    this.#resizer.resize(this.#full, bytes);
    return { bytes, image: Float32Array.from(bytes, (level) => level / 255) };
  }
}
