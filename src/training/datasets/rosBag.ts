/** A ROS 2 bag as a recording: one camera's images, its calibration out of the bag, and the vehicle's speed and the camera's pose where it holds them. */
import { basename, extname } from 'node:path';
import { compose, type Se3 } from '../../geometry/se3';
import { upperMedian } from '../../geometry/statistics';
import { BagDamageError, isBag, openBag, type Bag, type BagMessage } from '../../media/bag/bag';
import { describe } from '../../media/bag/bagFile';
import { chooseCameraTopics, readBagCamera, type CameraTopicNames, type CameraTopics } from '../../media/bag/bagCamera';
import { readBagImage } from '../../media/bag/bagImage';
import { messageSeconds, readMessage, readMotion } from '../../media/bag/messages';
import { poseToSe3, readStaticTransforms } from '../../media/bag/staticTransforms';
import { FrameSourceError } from '../../media/frame';
import type { Picture } from '../../media/pictures';
import { splitPart } from '../../paths';
import { MotionTrack, type Motion, type MotionSample } from './motionTrack';
import type { RecordedFrame, Recording, RecordingLayout, UnreadableFrame } from './recording';

/** Frames whose stamps give the rate. */
const RATE_FRAMES = 15;
/** Images waiting, still as messages, for the motion that comes after them. */
const WAITING = 16;

const TOPIC_KEYS: Readonly<Record<string, keyof CameraTopicNames>> = {
  image: 'image',
  camera_info: 'cameraInfo',
  speed: 'speed',
};

/**
 * Splits "BAG#image=/front/image_raw,camera_info=/front/camera_info,speed=/odom" into the path and the topics; all of them may be left out.
 * @throws FrameSourceError on a name that is none of these
 */
export function splitBagPath(text: string): { path: string; topics: CameraTopicNames } {
  const [path, part] = splitPart(text);
  const entries = part === '' ? [] : part.slice(1).split(',');
  const topics: Partial<Record<keyof CameraTopicNames, string>> = {};
  for (const entry of entries) {
    const [, key, topic] = /^([a-z_]+)=(\/.+)$/.exec(entry) ?? [];
    if (!TOPIC_KEYS[key]) {
      const form = Object.keys(TOPIC_KEYS).map((name) => `${name}=/topic`);
      throw new FrameSourceError(path, `"${entry}" behind the # is none of ${form.join(', ')}`);
    }
    topics[TOPIC_KEYS[key]] = topic;
  }
  return { path, topics };
}

interface StampedImage {
  readonly cdr: Uint8Array;
  readonly stamp: number;
  readonly motion?: Motion;
}

function naming<T>(path: string, topic: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new FrameSourceError(path, `a message on ${topic} cannot be read (${describe(error)})`);
  }
}

/**
 * Takes points of the camera's frame to the frame whose pose the odometry gives; undefined where the bag does not say where the camera is mounted
 * (/tf_static) or has no odometry.
 */
async function cameraMount(bag: Bag, { image, speed }: CameraTopics): Promise<Se3 | undefined> {
  if (speed?.type !== 'nav_msgs/Odometry') return undefined;
  const frameOf = async (topic: string, read: (cdr: Uint8Array) => string | undefined) => {
    for await (const { cdr } of bag.messages([topic], { onUnreadable: passOver }))
      return naming(bag.path, topic, () => read(cdr));
    return undefined;
  };
  const vehicleFrame = await frameOf(speed.name, (cdr) => readMotion(speed.type, cdr).childFrame);
  const cameraFrame = await frameOf(image.name, (cdr) => readMessage(image.type, cdr).header.frame_id);
  if (!vehicleFrame || !cameraFrame) return undefined;
  return (await readStaticTransforms(bag)).between(vehicleFrame, cameraFrame);
}

/** The vehicle's speed and, where it is known how the camera is mounted, the camera's pose. @throws FrameSourceError naming the topic */
function motionSample(
  bag: Bag,
  topic: NonNullable<CameraTopics['speed']>,
  message: BagMessage,
  mount?: Se3,
): MotionSample {
  return naming(bag.path, topic.name, () => {
    const { header, speed, pose } = readMotion(topic.type, message.cdr);
    const stamp = messageSeconds(header, message.receivedNs);
    // Wheel odometry that knows only its speed leaves the orientation at zeros.
    const { x, y, z, w } = pose?.orientation ?? { x: 0, y: 0, z: 0, w: 0 };
    const known = pose && mount && Math.hypot(x, y, z, w) > 0;
    return { stamp, speed, pose: known ? compose(poseToSe3(pose), mount) : undefined };
  });
}

/** The camera's messages in the order of their reception, with the motion at their stamps. */
async function* images(
  bag: Bag,
  { image, speed }: CameraTopics,
  { mount, onUnreadable }: { mount?: Se3; onUnreadable?: UnreadableFrame } = {},
): AsyncGenerator<StampedImage> {
  const stampOf = ({ topic, cdr, receivedNs }: BagMessage) =>
    naming(bag.path, topic, () => messageSeconds(readMessage(image.type, cdr).header, receivedNs));
  if (!speed) {
    for await (const message of bag.messages([image.name], { onUnreadable }))
      yield { cdr: message.cdr, stamp: stampOf(message) };
    return;
  }
  const track = new MotionTrack();
  const waiting: StampedImage[] = [];
  const next = (): StampedImage => {
    const first = waiting.shift()!;
    return { ...first, motion: track.at(first.stamp) };
  };
  const messages = bag.messages([image.name, speed.name], { onUnreadable })[Symbol.asyncIterator]();
  let damage: unknown;
  for (;;) {
    const result = await messages.next().catch((error: unknown) => void (damage = error));
    if (!result || result.done) break;
    const message = result.value;
    if (message.topic === image.name) waiting.push({ cdr: message.cdr.slice(), stamp: stampOf(message) });
    else track.add(motionSample(bag, speed, message, mount));
    while (waiting.length > WAITING || (waiting.length > 0 && waiting[0].stamp <= track.end)) yield next();
  }
  while (waiting.length > 0) yield next();
  if (damage !== undefined) throw damage;
}

/** What cannot be read is said when the frames are, by whom they are read. */
const passOver = (): void => undefined;

/** Frames per second by the median of the first stamps' differences. */
async function frameRate(bag: Bag, topics: CameraTopics): Promise<number> {
  const stamps: number[] = [];
  for await (const { stamp } of images(bag, { ...topics, speed: undefined }, { onUnreadable: passOver })) {
    stamps.push(stamp);
    if (stamps.length === RATE_FRAMES) break;
  }
  const steps = stamps.slice(1).map((stamp, i) => stamp - stamps[i]);
  const step = upperMedian(steps);
  if (step > 0) return 1 / step;
  const problem = `the first ${stamps.length} images on ${topics.image.name} have no growing stamps`;
  throw new FrameSourceError(bag.path, `${problem}: a recording needs at least two`);
}

/** Size of the first image that can be read. */
async function imageSize(bag: Bag, { image }: CameraTopics): Promise<{ width: number; height: number }> {
  let fault: unknown = new FrameSourceError(bag.path, `no image on ${image.name}`);
  let tried = 0;
  const options = { onUnreadable: (error: Error) => (fault = error) };
  for await (const { cdr } of bag.messages([image.name], options)) {
    try {
      return await readBagImage(bag.path, image.name, image.type, cdr);
    } catch (error) {
      fault = error;
    }
    if (++tried === RATE_FRAMES) break;
  }
  throw fault;
}

/**
 * Opens "BAG" or "BAG#image=/front/image_raw,camera_info=/front/camera_info,speed=/odom": a folder as rosbag2 records it, or one .mcap or .db3 file.
 * The speed is that of nav_msgs/Odometry or geometry_msgs/TwistStamped, interpolated to the images' stamps. Odometry gives the camera's pose, too, where
 * /tf_static leads from its child frame to the images' frame, which is taken to be an optical one (REP 103). A damaged bag gives the frames before the
 * damage, then a warning. One damaged message is an unreadable frame: training stops and names it unless told how many may be left out, since pairs
 * across a frame that is gone have another motion than the recording says.
 * @throws FrameSourceError naming the bag, the topic and what is missing
 */
export async function openRosBag(text: string, warn: (message: string) => void = console.warn): Promise<Recording> {
  const { path, topics: names } = splitBagPath(text);
  const bag = await openBag(path);
  try {
    const topics = chooseCameraTopics(bag, names);
    const { image } = topics;
    const { width, height } = await imageSize(bag, topics);
    const camera = await readBagCamera(bag, topics, width, height);
    const framesPerSecond = await frameRate(bag, topics);
    // Reading the images tells of a damage, and of what could be read before it.
    const mount = await cameraMount(bag, topics).catch((error: unknown) => {
      if (!(error instanceof BagDamageError)) throw error;
      return undefined;
    });

    async function* frames(onUnreadable?: UnreadableFrame): AsyncGenerator<RecordedFrame> {
      let count = 0;
      try {
        for await (const { cdr, stamp, motion } of images(bag, topics, { mount, onUnreadable })) {
          const picture = await readFrame(cdr, stamp).catch((error: unknown) => {
            if (!onUnreadable || !(error instanceof FrameSourceError)) throw error;
            onUnreadable(error);
          });
          if (!picture) continue;
          count++;
          yield { stamp, image: picture.data, speed: motion?.speed, pose: motion?.pose };
        }
      } catch (error) {
        if (!(error instanceof BagDamageError) || count === 0) throw error;
        warn(`${error.message}; going on with the ${count} images before it`);
      }
    }

    async function readFrame(cdr: Uint8Array, stamp: number): Promise<Picture> {
      const picture = await readBagImage(path, image.name, image.type, cdr);
      if (picture.width === width && picture.height === height) return picture;
      const sizes = `is ${picture.width}x${picture.height}, the first one ${width}x${height}`;
      throw new FrameSourceError(path, `image on ${image.name} at ${stamp} s ${sizes}`);
    }

    return {
      name: basename(path, extname(path)),
      sources: [...bag.files],
      variant: [image.name, topics.cameraInfo, topics.speed?.name ?? '', ...(mount ? ['poses'] : [])].join(' '),
      framesPerSecond,
      frameCount: image.messageCount,
      camera,
      frames,
      close: () => bag.close(),
    };
  } catch (error) {
    await bag.close();
    throw error;
  }
}

export const rosBagLayout: RecordingLayout = {
  name: 'ROS 2 bag',
  knownBy: 'a folder with the metadata.yaml of rosbag2 or with .mcap or .db3 files, or one such file',
  matches: (path) => isBag(splitPart(path)[0]),
  open: (path) => openRosBag(path),
};
