/** Which topics of a bag are the camera, its calibration and the vehicle's speed; and the calibration itself. */
import { cropIntrinsics, scaleIntrinsics, type Intrinsics } from '../../geometry/camera';
import { distortionOf, NO_DISTORTION, type Distortion } from '../../geometry/lens';
import { isRectifiedTopic, siblingCameraInfo } from '../cameraTopics';
import { FrameSourceError } from '../frame';
import type { Bag, BagTopic } from './bag';
import { describe } from './bagFile';
import { IMAGE_TYPES, type ImageType } from './bagImage';
import { readMessage, SPEED_TYPES, type CameraInfoMessage } from './messages';

const CAMERA_INFO = 'sensor_msgs/CameraInfo';
/** Relative difference of aspect ratios at which an image is not a smaller copy of its camera_info's any more. */
const ASPECT_TOLERANCE = 0.01;

export interface CameraTopicNames {
  /** Of sensor_msgs/Image or CompressedImage; may be left out where the bag has only one. */
  readonly image?: string;
  /** Of sensor_msgs/CameraInfo; without it the image topic's sibling. */
  readonly cameraInfo?: string;
  /** Of nav_msgs/Odometry or geometry_msgs/TwistStamped; without it the only one, or none. */
  readonly speed?: string;
}

export interface CameraTopics {
  readonly image: BagTopic & { readonly type: ImageType };
  readonly cameraInfo: string;
  readonly speed?: BagTopic & { readonly type: (typeof SPEED_TYPES)[number] };
}

function listing(topics: readonly BagTopic[]): string {
  if (topics.length === 0) return 'it has no topics';
  return `it has ${topics.map(({ name, type }) => `${name} (${type})`).join(', ')}`;
}

function isOfType<T extends string>(types: readonly T[], topic: BagTopic): topic is BagTopic & { type: T } {
  return (types as readonly string[]).includes(topic.type);
}

function chooseTopic<T extends string>(bag: Bag, name: string | undefined, types: readonly T[], what: string) {
  if (name !== undefined) {
    const topic = bag.topics.find((candidate) => candidate.name === name);
    if (!topic) throw new FrameSourceError(bag.path, `has no topic ${name}; ${listing(bag.topics)}`);
    if (!isOfType(types, topic))
      throw new FrameSourceError(bag.path, `topic ${name} is ${topic.type}; ${what} is ${types.join(' or ')}`);
    return topic;
  }
  const candidates = bag.topics.filter((topic) => isOfType(types, topic) && topic.messageCount !== 0);
  return candidates.length === 1 ? (candidates[0] as BagTopic & { type: T }) : undefined;
}

/** @throws FrameSourceError listing the bag's topics, when the names do not say which they are */
export function chooseCameraTopics(bag: Bag, names: CameraTopicNames = {}): CameraTopics {
  const image = chooseTopic(bag, names.image, IMAGE_TYPES, 'an image');
  if (!image) {
    const problem = 'not exactly one topic of images: name one, as in BAG#image=/front/image_raw';
    throw new FrameSourceError(bag.path, `${problem}; ${listing(bag.topics)}`);
  }
  const cameraInfo = names.cameraInfo ?? siblingCameraInfo(image.name);
  const info = bag.topics.find(({ name }) => name === cameraInfo);
  if (info?.type !== CAMERA_INFO || info.messageCount === 0) {
    const fault = !info ? 'is not in it' : info.type === CAMERA_INFO ? 'has no message' : `is ${info.type}`;
    const remedy = 'record it too, or name another as in BAG#camera_info=/front/camera_info';
    throw new FrameSourceError(
      bag.path,
      `the calibration of ${image.name} should be on ${cameraInfo}, which ${fault}: ${remedy}; ${listing(bag.topics)}`,
    );
  }
  return { image, cameraInfo, speed: chooseTopic(bag, names.speed, SPEED_TYPES, 'a speed') };
}

export interface BagCamera {
  readonly intrinsics: Intrinsics;
  readonly distortion: Distortion;
}

/** camera_info as a pinhole camera of the image as published, and its lens. @throws RangeError naming the field */
function calibration(info: CameraInfoMessage, rectified: boolean): BagCamera {
  const { width, height, roi, distortion_model: model } = info;
  // Zeros say that there is none, whatever the model (as to depth_node and image_geometry).
  const isStraight = rectified || Array.from(info.d).every((value) => value === 0);
  const distortion = isStraight ? NO_DISTORTION : distortionOf(model, info.d);
  // A rectified image is seen by the new camera matrix P; drivers of rectified cameras may leave P empty.
  const [fx, fy, cx, cy] =
    rectified && info.p[0] !== 0 ? [0, 5, 2, 6].map((i) => info.p[i]) : [0, 4, 2, 5].map((i) => info.k[i]);
  if (!(fx > 0 && fy > 0 && Number.isFinite(fx + fy + cx + cy)))
    throw new RangeError(`fx, fy are ${fx}, ${fy}: the camera is not calibrated`);
  if (width === 0 || height === 0) throw new RangeError(`size is ${width}x${height}`);
  // K is of the whole sensor; the image holds its region of interest, shrunk by binning (sensor_msgs/CameraInfo).
  const cropped = cropIntrinsics(
    { width, height, fx, fy, cx, cy },
    roi.x_offset,
    roi.y_offset,
    roi.width || width,
    roi.height || height,
  );
  const binned = [cropped.width / Math.max(1, info.binning_x), cropped.height / Math.max(1, info.binning_y)];
  return { intrinsics: scaleIntrinsics(cropped, Math.floor(binned[0]), Math.floor(binned[1])), distortion };
}

/**
 * The camera of the bag's images by the first message of its camera_info.
 * @param width, height of the images
 * @throws FrameSourceError naming the topic and the field that is wrong
 */
export async function readBagCamera(
  bag: Bag,
  { image, cameraInfo }: CameraTopics,
  width: number,
  height: number,
): Promise<BagCamera> {
  const fail = (problem: string) => new FrameSourceError(bag.path, `${cameraInfo}: ${problem}`);
  // All of them say the same: a damaged one is passed over.
  for await (const { cdr } of bag.messages([cameraInfo], { onUnreadable: () => undefined })) {
    let camera;
    try {
      camera = calibration(readMessage(CAMERA_INFO, cdr), isRectifiedTopic(image.name));
    } catch (error) {
      throw fail(describe(error));
    }
    const { intrinsics, distortion } = camera;
    const aspect = (width * intrinsics.height) / (height * intrinsics.width);
    if (Math.abs(aspect - 1) > ASPECT_TOLERANCE)
      throw fail(`is of a ${intrinsics.width}x${intrinsics.height} image, ${image.name} is ${width}x${height}`);
    return { intrinsics: scaleIntrinsics(intrinsics, width, height), distortion };
  }
  throw fail(`no message; without it the camera of ${image.name} is not known`);
}
