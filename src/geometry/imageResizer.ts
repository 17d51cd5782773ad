/** One resize for every layout a camera's image may have. */
import { AreaResizer, type PixelLayout, type ResizeShape } from './areaResize';
import { BayerResizer, Yuv422Resizer, type BayerLayout, type Yuv422Layout } from './rawResize';

export type ImageLayout = PixelLayout | BayerLayout | Yuv422Layout;

/** In pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** A camera's image as it lies in bytes. */
export interface ImageBytes extends ImageSize {
  /** Bytes from one row to the next. */
  readonly step: number;
  readonly layout: ImageLayout;
  readonly data: Uint8Array;
}

interface Resizer {
  resize(source: Uint8Array, output: Uint8Array): void;
}

/** Area-averaging resize of whatever image comes; the weights are kept as long as its shape stays. */
export class ImageResizer {
  #shape: ResizeShape<ImageLayout> | undefined;
  #resizer: Resizer | undefined;

  /** @param into uint8 [outputHeight][outputWidth][3] rgb; throws RangeError where the image's fields do not agree */
  resize(image: ImageBytes, outputWidth: number, outputHeight: number, into: Uint8Array): void {
    const { width, height, step, layout } = image;
    const shape = { width, height, step, layout, outputWidth, outputHeight };
    if (!this.#resizer || !this.#shape || !isSame(shape, this.#shape)) {
      this.#resizer = resizerOf(shape);
      this.#shape = shape;
    }
    this.#resizer.resize(image.data, into);
  }
}

function isSame(a: ResizeShape<ImageLayout>, b: ResizeShape<ImageLayout>): boolean {
  return (Object.keys(a) as (keyof typeof a)[]).every((key) => a[key] === b[key]);
}

function resizerOf(shape: ResizeShape<ImageLayout>): Resizer {
  const { layout } = shape;
  if (layout.kind === 'bayer') return new BayerResizer({ ...shape, layout });
  if (layout.kind === 'yuv422') return new Yuv422Resizer({ ...shape, layout });
  return new AreaResizer({ ...shape, layout });
}
