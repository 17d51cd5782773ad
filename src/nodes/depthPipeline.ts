/**
 * The way of a frame through depth_node, top to bottom: image message -> checked view -> shrunk to the network's size ->
 * network (worker thread) -> depth, camera_info, gradient, confidence, points; and, while those are on their way, ego-motion, scale and odometry.
 */
import { concatMap, filter, map, tap, type Observable } from 'rxjs';
import type { Intrinsics } from '../geometry/camera';
import type { DepthMaps, EgoMotion } from '../inference/inferenceWorker';
import type { ModelHost } from '../inference/modelHost';
import type { Scale } from '../odometry/scaleFilter';
import { cameraFrames, type NetworkFrame } from './cameraFrames';
import { DepthImages } from './depthImages';
import type { DepthParameters } from './depthParameters';
import type { DepthStatistics } from './depthStatistics';
import { egoMotionMessage, secondsBetween, unavailableEgoMotion } from './egoMotionMessage';
import { latestOnly } from './latestOnly';
import type { Navigator } from './navigation';
import { PointCloudBuilder, writePointCloud } from './pointCloud';
import { CdrWriter, stampSeconds, type Time } from './ros/cdr';
import {
  floatImage,
  writeCameraInfo,
  writeDepthGradient,
  writeEgoMotion,
  writeImage,
  type CameraInfoMessage,
} from './ros/messages';
import { GroundFollower, type SeenGround } from './groundFollower';
import { isEnding } from './ros/endOnSignal';
import type { Publisher } from './ros/rclnodejs';
import type { ThrottledLog } from './ros/throttledLog';

export interface DepthPublishers {
  readonly depth: Publisher;
  readonly cameraInfo: Publisher;
  readonly gradient: Publisher;
  readonly confidence: Publisher;
  readonly egoMotion: Publisher;
  readonly points: Publisher;
  readonly odometry: Publisher;
}

export interface DepthPipelineOptions {
  /** sensor_msgs/Image, or CompressedImage, as CDR bytes. */
  readonly images$: Observable<Buffer>;
  readonly imageTopic: string;
  /** The camera_info in force; undefined while none, or none usable, has come. */
  readonly cameraInfo: () => CameraInfoMessage | undefined;
  readonly network: ModelHost;
  readonly navigator: Navigator;
  readonly parameters: DepthParameters;
  readonly publishers: DepthPublishers;
  readonly statistics: DepthStatistics;
  readonly log: ThrottledLog;
}

/** What the network made of a frame. */
interface InferredFrame extends NetworkFrame {
  readonly maps: DepthMaps;
  /** Undefined where there is none; never rejects. */
  readonly egoMotion: Promise<EgoMotion | undefined>;
  /** Nothing can be seen on it, and its motion is not waited for: it may be published before that of the frame before. */
  readonly isBlack: boolean;
  /** Stamp of the frame the ego-motion starts from; undefined where the network compared with none. */
  readonly previousStamp: Time | undefined;
}

interface DepthFrame extends InferredFrame {
  readonly intrinsics: Intrinsics | undefined;
  /** Metres per unit of the model's depth. */
  readonly scale: Scale;
  readonly ground: SeenGround | undefined;
}

type MotionFrame = Omit<DepthFrame, 'egoMotion'> & { readonly egoMotion: EgoMotion | undefined };

/** No pixel of the shrunk image above this byte: lens cap, dead exposure; nothing can be measured on it. */
const BLACK_LEVEL = 15;

/** Every image that comes in as one published set of maps and one ego-motion; subscribe to run it. */
export function depthPipeline(options: DepthPipelineOptions): Observable<unknown> {
  // Network-size image buffers: one in the network, one waiting, one being filled.
  const pool: Uint8Array[] = [];
  const infer = inferStage(options, pool);
  const publish = publishStage(options);
  return cameraFrames({ ...options, idle: infer.idle, take: () => pool.pop() }).pipe(
    latestOnly(infer.run, infer.drop),
    filter((frame) => frame !== undefined),
    map(scaleStage(options)),
    tap((frame) => publish.maps(frame)),
    concatMap(async (frame) => ({ ...frame, egoMotion: await frame.egoMotion })),
    tap((frame) => publish.motion(frame)),
  );
}

/** What is known of a frame's metres, while its depth is still in the model's unit. */
function scaleStage({ network, navigator, parameters, publishers }: DepthPipelineOptions) {
  const { height, width } = network.model;
  const follower = new GroundFollower();
  return (frame: InferredFrame): DepthFrame => {
    const { maps, rectification, cameraInfo, header } = frame;
    if (rectification?.outside) markOutside(maps, rectification.outside);
    const k = cameraInfo?.k;
    const intrinsics = k && { height, width, fx: k[0], fy: k[4], cx: k[2], cy: k[5] };
    const isFiltered = parameters.publishPoints && parameters.points.removeGround;
    const wanted = navigator.wantsGround || (isFiltered && publishers.points.subscriptionCount > 0);
    const ground = wanted && intrinsics ? follower.see(maps.depth, intrinsics, stampSeconds(header.stamp)) : undefined;
    return { ...frame, intrinsics, scale: navigator.scaleOf(network.model.sha256), ground };
  };
}

/** Frame through the network; decides whether it may be compared with the frame before. */
function inferStage(
  { network, navigator, parameters, publishers, statistics, log, imageTopic }: DepthPipelineOptions,
  pool: Uint8Array[],
) {
  let previous: NetworkFrame | undefined;
  let lastRun: Promise<unknown> = Promise.resolve();

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
    const sameRays = previous.rectification === frame.rectification && previous.header.frameId === frame.header.frameId;
    return dt > 0 && dt <= parameters.maxGapSeconds && sameRays;
  };

  const run = async (frame: NetworkFrame): Promise<InferredFrame | undefined> => {
    if (isBlack(frame.image)) {
      log.warn('black', `${imageTopic}: data is black; its depth is published as invalid (NaN)`);
      statistics.black++;
      previous = undefined;
      pool.push(frame.image);
      return { ...frame, ...nothingSeen(network), isBlack: true, previousStamp: undefined };
    }
    const compare = comparable(frame);
    const previousStamp = compare ? previous?.header.stamp : undefined;
    previous = frame;
    try {
      const k = frame.cameraInfo?.k;
      const intrinsics = k && ([k[0], k[4], k[2], k[5]] as const);
      const listened = parameters.publishEgoMotion && publishers.egoMotion.subscriptionCount > 0;
      const wantsMotion = (navigator.wantsMotion || listened) && k !== undefined;
      const request = { image: frame.image, forgetPrevious: !compare, wantsMotion, intrinsics };
      const { maps, image, egoMotion } = await network.infer(request);
      pool.push(image);
      return {
        ...frame,
        image, // its bytes hold until the next message is shrunk: the maps are published before
        maps,
        egoMotion: egoMotion.catch(noMotion),
        isBlack: false,
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
  const runLast = (frame: NetworkFrame): Promise<InferredFrame | undefined> => {
    const running = run(frame);
    lastRun = running.catch(() => undefined);
    return running;
  };
  return { run: runLast, drop, idle: () => lastRun };
}

function isBlack(image: Uint8Array): boolean {
  for (let i = 0; i < image.length; i++) if (image[i] > BLACK_LEVEL) return false;
  return true;
}

function nothingSeen(network: ModelHost): Pick<InferredFrame, 'maps' | 'egoMotion'> {
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
function publishStage(options: DepthPipelineOptions) {
  const { network, navigator, parameters, publishers, statistics, log, imageTopic } = options;
  const { width: mapWidth, height: mapHeight } = network.model;
  const cdr = new CdrWriter();
  const cloud = new PointCloudBuilder();
  const depthImages = new DepthImages({ ...parameters, width: mapWidth, height: mapHeight });

  /** A message is only built where somebody listens. */
  const send = (publisher: Publisher, write: (cdr: CdrWriter) => CdrWriter): void => {
    if (publisher.subscriptionCount > 0) publisher.publish(write(cdr.start()).take());
  };

  const maps = ({ header, maps, arrivedMs, scale, ...frame }: DepthFrame): void => {
    const info = frame.cameraInfo;
    const { depth, gradient, confidence } = maps;
    markRanges(depth, confidence, scale.scale, parameters);
    send(publishers.depth, (cdr) => writeImage(cdr, depthImages.imageOf(depth, header, frame)));
    statistics.published(performance.now() - arrivedMs, maps.runMilliseconds);
    if (!frame.isBlack) navigator.see(frame.image, mapHeight, mapWidth);
    if (info) {
      const published = { ...depthImages.cameraInfoOf(frame)!, header };
      send(publishers.cameraInfo, (cdr) => writeCameraInfo(cdr, published));
      if (parameters.publishPoints && navigator.isMeasured(scale)) {
        const { colour, removeGround, groundClearance, ...options } = parameters.points;
        const plane = removeGround ? frame.ground?.plane : undefined;
        const floor = plane && { normal: plane.normal, distance: scale.scale * plane.height - groundClearance };
        const map = { height: mapHeight, width: mapWidth, k: info.k };
        const image = colour ? frame.image : undefined;
        send(publishers.points, (cdr) =>
          writePointCloud(cdr, header, cloud.build(depth, map, { ...options, floor }, image)),
        );
      }
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

  const motion = (frame: MotionFrame): void => {
    const { header, maps, egoMotion, previousStamp, scale, intrinsics, ground } = frame;
    if (egoMotion) statistics.motionComputed(egoMotion.runMilliseconds);
    const usable = previousStamp && egoMotion?.vector.every((value) => Number.isFinite(value));
    const vector = usable ? egoMotion?.vector.map((value, i) => (i < 3 ? scale.scale * value : value)) : undefined;
    const groundHeight = ground?.found?.height;
    const moved = { header, depth: maps.depth, intrinsics, scale, groundHeight, vector, previousStamp };
    const estimate = navigator.move(moved, cdr);
    if (!parameters.publishEgoMotion) return;
    const message =
      estimate && previousStamp
        ? egoMotionMessage(header, {
            motion: estimate,
            previousStamp,
            quality: mean(maps.confidence),
            scale,
            scaleSource: parameters.navigation.scaleSource,
          })
        : unavailableEgoMotion(header, previousStamp, scale);
    send(publishers.egoMotion, (cdr) => writeEgoMotion(cdr, message));
  };
  return { maps, motion };
}

/** In place: nothing is known of what the camera does not show. */
function markOutside({ depth, gradient, confidence }: DepthMaps, outside: Uint8Array): void {
  for (let i = 0; i < outside.length; i++) {
    if (outside[i] === 0) continue;
    depth[i] = gradient[2 * i] = gradient[2 * i + 1] = NaN;
    confidence[i] = 0;
  }
}

/** In metres, and REP 117, in place: NaN invalid, -Inf closer than the range, +Inf beyond it (the sky). */
function markRanges(depth: Float32Array, confidence: Float32Array, scale: number, parameters: DepthParameters): void {
  const { minRange, maxRange, confidenceThreshold } = parameters;
  for (let i = 0; i < depth.length; i++) {
    const trusted = confidence[i] >= confidenceThreshold; // false where the confidence is NaN
    const z = scale * depth[i];
    depth[i] = !trusted ? NaN : z > maxRange ? Infinity : z < minRange ? -Infinity : z;
  }
}

function mean(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}
