/**
 * What a network sees of a camera: the upper rows of its image, without lens distortion, at the network's size, and the camera_info of
 * just that.
 */
import { RGB8 } from '../geometry/areaResize';
import { ImageResizer, type ImageBytes, type ImageSize } from '../geometry/imageResizer';
import { LARGEST_SCALE, Rectification, SHRUNK_SCALE, type RectifiedSource } from '../geometry/rectification';
import { BadImageError, imageBytes } from '../media/imageEncodings';
import { decodePicture, type LeastSize } from './compressedPicture';
import { intrinsicsOf, lensView, type LensView, type LensViewOptions } from './lensView';
import { scaleCameraInfo } from './ros/cameraInfo';
import { checkHeader, type Header } from './ros/cdr';
import { readCompressedImage, readImage, type CameraInfoMessage } from './ros/messages';
import type { ThrottledLog } from './ros/throttledLog';

export interface ViewOptions extends LensViewOptions {
  /** Size of the network's image. */
  readonly width: number;
  readonly height: number;
  /** Rows of the camera's image that the network sees, from the top; 0 is all of them. Of a distorted camera: of the rectified image. */
  readonly imageRows: number;
  /** Why images of this size are not taken; undefined where they are. Default: all are. */
  readonly sizeFault?: (size: ImageSize) => string | undefined;
  /** The camera_info in force, of the image; undefined while none, or none usable, has come. */
  readonly cameraInfo: () => CameraInfoMessage | undefined;
  readonly log: ThrottledLog;
}

/** What is known of the camera of an image; nothing while no usable camera_info has come. */
export interface KnownCamera {
  /** camera_info of the network's image. */
  readonly cameraInfo?: CameraInfoMessage;
  /** The same of the camera's whole image, rectified as the network's. */
  readonly wholeCameraInfo?: CameraInfoMessage;
  /** Why camera_info could not be used as wanted: the image is seen as it comes. */
  readonly lensFault?: string;
}

export interface ShrunkImage extends KnownCamera {
  readonly header: Header;
  /** Size of the camera's image. */
  readonly width: number;
  readonly height: number;
  /** uint8 [network height][network width][3] rgb. */
  readonly image: Uint8Array;
  /** What took the lens distortion out; frames of the same one see the world by the same rays. */
  readonly rectification?: Rectification;
}

interface CameraViewOptions extends ViewOptions {
  /** A buffer to be used again; undefined for a new one. */
  readonly take?: () => Uint8Array | undefined;
  readonly onRejected?: () => void;
}

/** What has been worked out for one camera_info and one size of image. */
interface Prepared {
  readonly info: CameraInfoMessage | undefined;
  readonly size: ImageSize;
  readonly lens?: LensView;
  readonly known: KnownCamera;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

export class CameraView {
  readonly #options: CameraViewOptions;
  readonly #resizer = new ImageResizer();
  #prepared: Prepared | undefined;
  #rectification: { readonly of: Prepared; readonly map: Rectification } | undefined;
  /** The smaller copy of an image that cannot be rectified as it is. */
  #copy = new Uint8Array(0);

  constructor(options: CameraViewOptions) {
    this.#options = options;
  }

  /** sensor_msgs/Image at the network's size, straight from the message's bytes; undefined (and a warning) where it is no image. */
  take(message: Buffer): ShrunkImage | undefined {
    try {
      const image = readImage(message);
      checkHeader(image.header);
      return this.#view(image.header, image, imageBytes(image));
    } catch (error) {
      return this.#reject(error as Error);
    }
  }

  /** As `take`, of a sensor_msgs/CompressedImage; another thread decodes it. */
  async takeCompressed(message: Buffer): Promise<ShrunkImage | undefined> {
    try {
      const compressed = readCompressedImage(message);
      checkHeader(compressed.header);
      const picture = await decodePicture(compressed, (size) => this.#leastSource(size));
      return this.#view(compressed.header, picture, picture.pixels);
    } catch (error) {
      return this.#reject(error as Error);
    }
  }

  #reject(error: Error): undefined {
    const { imageTopic, log, onRejected } = this.#options;
    onRejected?.();
    log.warn(`image ${error.message.split(' ')[0]}`, `${imageTopic}: image ignored: ${error.message}`);
  }

  /** @param size of the camera's image  @param pixels the image itself, or a smaller copy */
  #view(header: Header, { width, height }: ImageSize, pixels: ImageBytes): ShrunkImage {
    const { take, width: networkWidth, height: networkHeight, sizeFault } = this.#options;
    const fault = sizeFault?.({ width, height });
    if (fault) throw new BadImageError(fault);
    const prepared = this.#preparedFor({ width, height });
    const image = take?.() ?? new Uint8Array(networkWidth * networkHeight * 3);
    const seen = { header, width, height, image, ...prepared.known };
    if (!prepared.lens?.distorted) {
      const rows = Math.round((this.#rowsSeen(height) * pixels.height) / height);
      this.#resizer.resize({ ...pixels, height: rows }, networkWidth, networkHeight, image);
      return seen;
    }
    const source = this.#rectifiable(pixels, height);
    const rectification = this.#rectificationOf(prepared, source);
    rectification.apply(source.data, image);
    return { ...seen, rectification };
  }

  /** The image itself, or a smaller rgb copy of one that is very large or has no whole pixels (Bayer, yuv422). */
  #rectifiable(pixels: ImageBytes, cameraHeight: number): RectifiedSource & { readonly data: Uint8Array } {
    const { width, height } = this.#options;
    const rows = (height * cameraHeight) / this.#rowsSeen(cameraHeight); // of the network's image, were it to show all
    const { layout } = pixels;
    const isSmall = pixels.width <= LARGEST_SCALE * width && pixels.height <= LARGEST_SCALE * rows;
    if (layout.kind === 'interleaved' && isSmall) return { ...pixels, layout };
    const copyWidth = Math.min(pixels.width, SHRUNK_SCALE * width);
    const copyHeight = Math.min(pixels.height, Math.round(SHRUNK_SCALE * rows));
    const bytes = copyWidth * copyHeight * 3;
    if (this.#copy.length < bytes) this.#copy = new Uint8Array(bytes);
    this.#resizer.resize(pixels, copyWidth, copyHeight, this.#copy);
    return { width: copyWidth, height: copyHeight, step: 3 * copyWidth, layout: RGB8, data: this.#copy };
  }

  #rowsSeen(height: number): number {
    const { imageRows } = this.#options;
    return imageRows > 0 ? Math.min(imageRows, height) : height;
  }

  /** The size that a smaller copy of an image should have at least. */
  #leastSource(size: ImageSize): LeastSize {
    const { width, height } = this.#options;
    const rows = this.#rowsSeen(size.height);
    if (this.#preparedFor(size).lens?.distorted)
      return { width: SHRUNK_SCALE * width, height: (SHRUNK_SCALE * height * size.height) / rows, heightUnit: 1 };
    // The rows that are seen have to end between two rows of the copy.
    return {
      width,
      height: (height * size.height) / rows,
      heightUnit: size.height / greatestDivisor(size.height, rows),
    };
  }

  /** What camera_info says of an image of this size; worked out anew where either is another one than before. */
  #preparedFor(size: ImageSize): Prepared {
    const { cameraInfo, imageTopic, log } = this.#options;
    const info = cameraInfo();
    const before = this.#prepared;
    if (before?.info === info && before?.size.width === size.width && before.size.height === size.height) return before;
    if (!info) return (this.#prepared = { info, size, known: {} });
    if (info.width !== size.width || info.height !== size.height) {
      log.warn(
        'camera_info size',
        `camera_info: width x height is ${info.width}x${info.height}, the image on ${imageTopic} has ${size.width}x${size.height}`,
      );
    }
    const lens = lensView(scaleCameraInfo(info, size.width, size.height), this.#options);
    const wholeCameraInfo = lens.info;
    const rows = { ...wholeCameraInfo, height: this.#rowsSeen(size.height) };
    const ofNetwork = scaleCameraInfo(rows, this.#options.width, this.#options.height);
    const known = { cameraInfo: ofNetwork, wholeCameraInfo, lensFault: lens.fault };
    return (this.#prepared = { info, size, lens, known });
  }

  #rectificationOf(prepared: Prepared, source: RectifiedSource): Rectification {
    const before = this.#rectification;
    if (before?.of === prepared && before.map.fits(source)) return before.map;
    const view = intrinsicsOf(prepared.known.cameraInfo!);
    const map = new Rectification(prepared.lens!.distorted!, view, source);
    this.#rectification = { of: prepared, map };
    return map;
  }
}
