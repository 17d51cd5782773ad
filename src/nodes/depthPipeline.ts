/**
 * The way of a frame through depth_node, top to bottom: image message -> checked view -> shrunk to the network's size ->
 * network (worker thread) -> depth, camera_info, gradient, confidence; and, while those are on their way, ego-motion.
 */
import { concatMap, filter, map, tap, type Observable } from 'rxjs';
import type { DepthMaps, EgoMotion } from '../inference/inferenceWorker';
import type { ModelHost } from '../inference/modelHost';
import { infoOfView, shrinkImages, type InfoOfView, type ShrunkImage } from './cameraView';
import type { DepthParameters } from './depthParameters';
import type { DepthStatistics } from './depthStatistics';
import { egoMotionMessage, secondsBetween, unavailableEgoMotion } from './egoMotionMessage';
import { latestOnly } from './latestOnly';
import { CdrWriter, type Time } from './ros/cdr';
import {
  floatImage,
  writeCameraInfo,
  writeDepthGradient,
  writeEgoMotion,
  writeImage,
  type CameraInfoMessage,
} from './ros/messages';
import { isEnding } from './ros/endOnSignal';
import type { Publisher } from './ros/rclnodejs';
import type { ThrottledLog } from './ros/throttledLog';

export interface DepthPublishers {
  readonly depth: Publisher;
  readonly cameraInfo: Publisher;
  readonly gradient: Publisher;
  readonly confidence: Publisher;
  readonly egoMotion: Publisher;
}

export interface DepthPipelineOptions {
  /** sensor_msgs/Image as CDR bytes. */
  readonly images$: Observable<Buffer>;
  readonly imageTopic: string;
  /** The camera_info in force; undefined while none, or none usable, has come. */
  readonly cameraInfo: () => CameraInfoMessage | undefined;
  readonly network: ModelHost;
  readonly parameters: DepthParameters;
  readonly publishers: DepthPublishers;
  readonly statistics: DepthStatistics;
  readonly log: ThrottledLog;
}

/** A frame at the network's size. */
interface NetworkFrame extends ShrunkImage {
  readonly arrivedMs: number;
}

interface DepthFrame extends NetworkFrame {
  readonly maps: DepthMaps;
  /** Undefined where there is none; never rejects. */
  readonly egoMotion: Promise<EgoMotion | undefined>;
  /** Stamp of the frame the ego-motion starts from; undefined where the network compared with none. */
  readonly previousStamp: Time | undefined;
}

type MotionFrame = Omit<DepthFrame, 'egoMotion'> & { readonly egoMotion: EgoMotion | undefined };

/** No pixel of the shrunk image above this byte: lens cap, dead exposure; nothing can be measured on it. */
const BLACK_LEVEL = 15;

/** Every image that comes in as one published set of maps and one ego-motion; subscribe to run it. */
export function depthPipeline(options: DepthPipelineOptions): Observable<unknown> {
  // Network-size image buffers: one in the network, one waiting, one being filled.
  const pool: Uint8Array[] = [];
  const { network, parameters, statistics } = options;
  const view = { ...options, ...network.model, imageRows: parameters.imageRows };
  const shrink = shrinkImages({ ...view, take: () => pool.pop(), onRejected: () => statistics.rejected++ });
  const infoOfMaps = infoOfView(view);
  const infer = inferStage(options, pool, infoOfMaps);
  const publish = publishStage(options, infoOfMaps);
  return options.images$.pipe(
    map((message): NetworkFrame | undefined => {
      const arrivedMs = performance.now();
      statistics.framesIn++;
      const image = shrink(message);
      return image && { ...image, arrivedMs };
    }),
    filter((frame) => frame !== undefined),
    latestOnly(infer.run, infer.drop),
    filter((frame) => frame !== undefined),
    tap((frame) => publish.maps(frame)),
    concatMap(async (frame) => ({ ...frame, egoMotion: await frame.egoMotion })),
    tap((frame) => publish.motion(frame)),
  );
}

/** Frame through the network; decides whether it may be compared with the frame before. */
function inferStage(
  { network, parameters, publishers, statistics, log, imageTopic }: DepthPipelineOptions,
  pool: Uint8Array[],
  infoOfMaps: InfoOfView,
) {
  let previous: NetworkFrame | undefined;

  const comparable = (frame: NetworkFrame): boolean => {
    if (!previous) return false;
    if (previous.width !== frame.width || previous.height !== frame.height) {
      log.warn(
        'resolution',
        `${imageTopic}: width x height changed from ${previous.width}x${previous.height} to ${frame.width}x${frame.height}; ego-motion starts anew`,
      );
      return false;
    }
    const dt = secondsBetween(previous.header.stamp, frame.header.stamp);
    if (dt <= 0) {
      log.warn('stamp', `${imageTopic}: header.stamp does not advance (by ${dt.toFixed(3)} s); ego-motion starts anew`);
    }
    return dt > 0 && dt <= parameters.maxGapSeconds && previous.header.frameId === frame.header.frameId;
  };

  const run = async (frame: NetworkFrame): Promise<DepthFrame | undefined> => {
    if (isBlack(frame.image)) {
      log.warn('black', `${imageTopic}: data is black; its depth is published as invalid (NaN)`);
      previous = undefined;
      pool.push(frame.image);
      return { ...frame, ...nothingSeen(network), previousStamp: undefined };
    }
    const compare = comparable(frame);
    const previousStamp = compare ? previous?.header.stamp : undefined;
    previous = frame;
    try {
      const k = infoOfMaps(frame)?.k;
      const intrinsics = k && ([k[0], k[4], k[2], k[5]] as const);
      const wantsMotion = k !== undefined && parameters.publishEgoMotion && publishers.egoMotion.subscriptionCount > 0;
      const request = { image: frame.image, forgetPrevious: !compare, wantsMotion, intrinsics };
      const { maps, image, egoMotion } = await network.infer(request);
      pool.push(image);
      return {
        ...frame,
        maps,
        egoMotion: egoMotion.catch(noMotion),
        previousStamp: maps.hasPrevious ? previousStamp : undefined,
      };
    } catch (error) {
      if (isEnding()) return undefined;
      if (network.hasEnded) throw error;
      previous = undefined;
      statistics.failed++;
      log.warn('network', `network run failed: ${(error as Error).message}`);
      return undefined;
    }
  };

  const noMotion = (error: Error): undefined => {
    if (!isEnding()) log.warn('ego-motion', `no ego-motion for a frame: ${error.message}`);
  };

  const drop = (frame: NetworkFrame): void => {
    statistics.dropped++;
    pool.push(frame.image);
  };
  return { run, drop };
}

function isBlack(image: Uint8Array): boolean {
  for (let i = 0; i < image.length; i++) if (image[i] > BLACK_LEVEL) return false;
  return true;
}

function nothingSeen(network: ModelHost): Pick<DepthFrame, 'maps' | 'egoMotion'> {
  const pixels = network.model.height * network.model.width;
  const maps = {
    depth: new Float32Array(pixels).fill(NaN),
    gradient: new Float32Array(pixels * 2).fill(NaN),
    confidence: new Float32Array(pixels),
    hasPrevious: false,
    runMilliseconds: 0,
  };
  return { maps, egoMotion: Promise.resolve(undefined) };
}

/** One frame's answer as ROS messages, all with the image's own stamp and frame. */
function publishStage(
  { network, parameters, publishers, statistics, log, imageTopic }: DepthPipelineOptions,
  infoOfMaps: InfoOfView,
) {
  const { width: mapWidth, height: mapHeight } = network.model;
  const cdr = new CdrWriter();

  /** A message is only built where somebody listens. */
  const send = (publisher: Publisher, write: (cdr: CdrWriter) => CdrWriter): void => {
    if (publisher.subscriptionCount > 0) publisher.publish(write(cdr.start()).take());
  };

  const maps = ({ header, maps, arrivedMs, ...frame }: DepthFrame): void => {
    const info = infoOfMaps(frame);
    const { depth, gradient, confidence } = maps;
    markRanges(depth, confidence, parameters);
    send(publishers.depth, (cdr) => writeImage(cdr, floatImage(header, mapHeight, mapWidth, depth)));
    statistics.published(performance.now() - arrivedMs, maps.runMilliseconds);
    if (info) {
      const published = { ...info, header };
      send(publishers.cameraInfo, (cdr) => writeCameraInfo(cdr, published));
    } else
      log.warnOnce(
        'no camera_info',
        `no camera_info for ${imageTopic}: ego-motion and scale are unavailable until one comes`,
      );
    if (parameters.publishGradient) {
      send(publishers.gradient, (cdr) => writeDepthGradient(cdr, header, mapHeight, mapWidth, gradient));
    }
    if (parameters.publishConfidence) {
      send(publishers.confidence, (cdr) => writeImage(cdr, floatImage(header, mapHeight, mapWidth, confidence)));
    }
  };

  const motion = ({ header, maps, egoMotion, previousStamp, ...frame }: MotionFrame): void => {
    if (!parameters.publishEgoMotion) return;
    if (egoMotion) statistics.motionComputed(egoMotion.runMilliseconds);
    const vector = egoMotion?.vector;
    const usable = vector?.every((value) => Number.isFinite(value)) && infoOfMaps(frame) && previousStamp;
    const message = usable
      ? egoMotionMessage(header, { motion: vector!, previousStamp, quality: mean(maps.confidence) })
      : unavailableEgoMotion(header, previousStamp);
    send(publishers.egoMotion, (cdr) => writeEgoMotion(cdr, message));
  };
  return { maps, motion };
}

/** REP 117, in place: NaN invalid, -Inf closer than the range, +Inf beyond it (the sky). */
function markRanges(depth: Float32Array, confidence: Float32Array, parameters: DepthParameters): void {
  const { minRange, maxRange, confidenceThreshold } = parameters;
  for (let i = 0; i < depth.length; i++) {
    const trusted = confidence[i] >= confidenceThreshold; // false where the confidence is NaN
    if (!trusted) depth[i] = NaN;
    else if (depth[i] > maxRange) depth[i] = Infinity;
    else if (depth[i] < minRange) depth[i] = -Infinity;
  }
}

function mean(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}
