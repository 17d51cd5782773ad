/** What a network sees of a camera: the upper rows of its image at the network's size, and the camera_info of just that. */
import { AreaResizer } from '../geometry/areaResize';
import { pixelLayout } from './ros/cameraImage';
import { scaleCameraInfo } from './ros/cameraInfo';
import type { Header } from './ros/cdr';
import { readImage, type CameraInfoMessage } from './ros/messages';
import type { ThrottledLog } from './ros/throttledLog';

export interface ViewOptions {
  /** Size of the network's image. */
  readonly width: number;
  readonly height: number;
  /** Rows of the camera's image that the network sees, from the top; 0 is all of them. */
  readonly imageRows: number;
  readonly imageTopic: string;
  readonly log: ThrottledLog;
}

export interface ShrunkImage {
  readonly header: Header;
  /** Size of the camera's image. */
  readonly width: number;
  readonly height: number;
  /** uint8 [network height][network width][3] rgb. */
  readonly image: Uint8Array;
}

interface ShrinkOptions extends ViewOptions {
  /** A buffer to be used again; undefined for a new one. */
  readonly take?: () => Uint8Array | undefined;
  readonly onRejected: () => void;
}

/** Image message to network size, straight from the message's bytes; undefined (and a warning) where it is no image. */
export function shrinkImages({ imageTopic, log, take, onRejected, ...view }: ShrinkOptions) {
  let resizer: AreaResizer | undefined;

  return (message: Buffer): ShrunkImage | undefined => {
    try {
      const image = readImage(message);
      const layout = pixelLayout(image);
      const { header, width, height, step } = image;
      const rows = rowsSeen(height, view);
      if (!resizer?.fits(width, rows, step, layout)) {
        const output = { outputWidth: view.width, outputHeight: view.height };
        resizer = new AreaResizer({ width, height: rows, step, layout, ...output });
      }
      const shrunk = take?.() ?? new Uint8Array(view.width * view.height * 3);
      resizer.resize(image.data, shrunk);
      return { header, width, height, image: shrunk };
    } catch (error) {
      onRejected();
      const text = (error as Error).message;
      log.warn(`image ${text.split(' ')[0]}`, `${imageTopic}: image ignored: ${text}`);
      return undefined;
    }
  };
}

function rowsSeen(height: number, { imageRows }: Pick<ViewOptions, 'imageRows'>): number {
  return imageRows > 0 ? Math.min(imageRows, height) : height;
}

/** camera_info of the network's image for a frame; undefined while no usable camera_info has come. */
export type InfoOfView = (frame: { width: number; height: number }) => CameraInfoMessage | undefined;

/** Scales camera_info to the network's size; made anew where it or the image's size is another one than before. */
export function infoOfView(
  options: ViewOptions & { readonly cameraInfo: () => CameraInfoMessage | undefined },
): InfoOfView {
  const { cameraInfo, imageTopic, log } = options;
  let scaled: { info: CameraInfoMessage; width: number; height: number; ofView: CameraInfoMessage } | undefined;

  return ({ width, height }) => {
    const info = cameraInfo();
    if (!info) return undefined;
    if (scaled?.info !== info || scaled.width !== width || scaled.height !== height) {
      if (info.width !== width || info.height !== height) {
        log.warn(
          'camera_info size',
          `camera_info: width x height is ${info.width}x${info.height}, the image on ${imageTopic} has ${width}x${height}`,
        );
      }
      const rows = (rowsSeen(height, options) / height) * info.height;
      const ofView = scaleCameraInfo({ ...info, height: rows }, options.width, options.height);
      scaled = { info, width, height, ofView };
    }
    return scaled.ofView;
  };
}
