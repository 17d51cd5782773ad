/** The first part of a frame's way through depth_node: image message -> pixels -> the network's view of them. */
import { filter, map, type Observable } from 'rxjs';
import type { ImageSize } from '../geometry/imageResizer';
import type { ModelHost } from '../inference/modelHost';
import { CameraView, type ShrunkImage, type ViewOptions } from './cameraView';
import { sizeFault } from './depthImages';
import type { DepthParameters } from './depthParameters';
import type { DepthStatistics } from './depthStatistics';
import { latestOnly } from './latestOnly';

/** A frame at the network's size. */
export interface NetworkFrame extends ShrunkImage {
  readonly arrivedMs: number;
}

interface Arrival {
  readonly message: Buffer;
  readonly arrivedMs: number;
}

interface CameraFramesOptions extends Pick<ViewOptions, 'imageTopic' | 'cameraInfo' | 'log'> {
  readonly images$: Observable<Buffer>;
  readonly network: ModelHost;
  readonly parameters: DepthParameters;
  readonly statistics: DepthStatistics;
  /** Resolves when the network has done with the frame given to it last. */
  readonly idle: () => Promise<unknown>;
  /** A buffer of the network's size to be used again. */
  readonly take: () => Uint8Array | undefined;
}

/** Every image that can be read, at the network's size. Compressed ones that a newer one overtakes are not even decoded. */
export function cameraFrames(options: CameraFramesOptions): Observable<NetworkFrame> {
  const { images$, network, parameters, statistics, idle, take, imageTopic, log } = options;
  const { imageRows, rectify, rectified, imageTransport, depthSize } = parameters;
  const tooLarge = (size: ImageSize): string | undefined => sizeFault(depthSize, size);
  const seen = { ...network.model, imageRows, rectify, rectified, sizeFault: tooLarge };
  const view = new CameraView({ ...options, ...seen, take, onRejected: () => statistics.rejected++ });

  const frameOf = (image: ShrunkImage | undefined, { arrivedMs }: Arrival): NetworkFrame | undefined => {
    const fault = image?.lensFault;
    if (fault)
      log.warnOnce(
        `lens ${fault.split(' ', 1)[0]}`,
        `camera_info of ${imageTopic}: ${fault}; images are seen as they come`,
      );
    if (image) statistics.isRectified = image.rectification !== undefined;
    return image && { ...image, arrivedMs };
  };
  const decode = async (arrival: Arrival): Promise<NetworkFrame | undefined> => {
    const image = await view.takeCompressed(arrival.message);
    if (image) await idle(); // the next one is decoded when this one is in the network, to be as new as can be
    return frameOf(image, arrival);
  };
  const arrivals$ = images$.pipe(
    map((message): Arrival => {
      statistics.framesIn++;
      return { message, arrivedMs: performance.now() };
    }),
  );
  const frames$ =
    imageTransport === 'compressed'
      ? arrivals$.pipe(latestOnly(decode, () => statistics.dropped++))
      : arrivals$.pipe(map((arrival) => frameOf(view.take(arrival.message), arrival)));
  return frames$.pipe(filter((frame) => frame !== undefined));
}
