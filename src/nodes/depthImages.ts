/** The depth map as the image that is published: at the network's or the camera's size, in metres or millimetres. */
import { enlargeDepth } from '../geometry/enlargeDepth';
import type { ImageSize } from '../geometry/imageResizer';
import type { KnownCamera } from './cameraView';
import type { Header } from './ros/cdr';
import { floatImage, type CameraInfoMessage, type ImageMessage } from './ros/messages';

export type DepthEncoding = '32FC1' | '16UC1';
export type DepthSize = 'network' | 'camera';

/** 8K. A larger map is over 130 MB, and as much again as a message; both stay allocated. */
const MOST_PIXELS = 33_177_600;

/** Why depths of this size are not made; undefined where they are. A mono8 image within max_image_bytes could ask for 400 MB. */
export function sizeFault(depthSize: DepthSize, { width, height }: ImageSize): string | undefined {
  if (depthSize !== 'camera' || width * height <= MOST_PIXELS) return undefined;
  return `width x height is ${width}x${height}; with depth_size camera at most ${MOST_PIXELS} pixels: set depth_size to network, or have the camera publish smaller images`;
}

export interface DepthImageOptions {
  readonly depthEncoding: DepthEncoding;
  readonly depthSize: DepthSize;
  /** Rows of the camera's image that the network sees; 0 is all. */
  readonly imageRows: number;
  /** Size of the map. */
  readonly width: number;
  readonly height: number;
}

export class DepthImages {
  readonly #options: DepthImageOptions;
  #metres = new Float32Array(0);
  #millimetres = new Uint16Array(0);

  constructor(options: DepthImageOptions) {
    this.#options = options;
  }

  /** The camera_info that belongs to the image. */
  cameraInfoOf(frame: KnownCamera): CameraInfoMessage | undefined {
    return this.#options.depthSize === 'camera' ? frame.wholeCameraInfo : frame.cameraInfo;
  }

  /** @param depth [height][width], ranges marked by REP 117  @returns an image whose data holds until the next call */
  imageOf(depth: Float32Array, header: Header, camera: ImageSize): ImageMessage {
    const { depthEncoding, depthSize } = this.#options;
    const { width, height } = depthSize === 'camera' ? camera : this.#options;
    const metres = depthSize === 'camera' ? this.#enlarged(depth, camera) : depth;
    if (depthEncoding === '32FC1') return floatImage(header, height, width, metres);
    const data = this.#inMillimetres(metres);
    return { header, height, width, encoding: '16UC1', isBigEndian: false, step: width * 2, data };
  }

  #enlarged(depth: Float32Array, { width, height }: ImageSize): Float32Array {
    const { imageRows } = this.#options;
    const rows = imageRows > 0 ? Math.min(imageRows, height) : height;
    if (this.#metres.length < width * height) this.#metres = new Float32Array(width * height);
    const enlarged = this.#metres.subarray(0, width * height);
    enlargeDepth(depth, this.#options, enlarged, { width, height: rows });
    enlarged.fill(NaN, rows * width); // rows the network does not see
    return enlarged;
  }

  /** REP 118: what is not a depth, or does not fit 16 bits, is 0. */
  #inMillimetres(metres: Float32Array): Uint8Array {
    if (this.#millimetres.length < metres.length) this.#millimetres = new Uint16Array(metres.length);
    const millimetres = this.#millimetres;
    for (let i = 0; i < metres.length; i++) {
      const rounded = metres[i] * 1000 + 0.5;
      millimetres[i] = rounded > 0 && rounded < 65536 ? rounded : 0;
    }
    return new Uint8Array(millimetres.buffer, 0, metres.length * 2);
  }
}
