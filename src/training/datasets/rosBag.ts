/** A ROS 2 bag as a recording: one camera's images, its calibration out of the bag, and a speed where it holds one. */
import { basename, extname } from 'node:path';
import { BagDamageError, isBag, openBag, type Bag, type BagMessage } from '../../media/bag/bag';
import { describe } from '../../media/bag/bagFile';
import { chooseCameraTopics, readBagCamera, type CameraTopicNames, type CameraTopics } from '../../media/bag/bagCamera';
import { readBagImage } from '../../media/bag/bagImage';
import { messageSeconds, readMessage, readSpeed } from '../../media/bag/messages';
import { FrameSourceError } from '../../media/frame';
import type { Picture } from '../../media/pictures';
import { splitPart } from '../../paths';
import type { RecordedFrame, Recording, RecordingLayout, UnreadableFrame } from './recording';

/** Frames whose stamps give the rate. */
const RATE_FRAMES = 15;
/** Speeds further apart than this, in seconds, are not interpolated between. */
const SPEED_GAP = 1;
/** Images waiting, still as messages, for the speed that comes after them. */
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

interface Sample {
  readonly stamp: number;
  readonly speed: number;
}

/** Speed at `stamp`, not later than `after`, on the line between two samples; undefined where they are too far apart or do not enclose it. */
function interpolate(before: Sample, after: Sample, stamp: number): number | undefined {
  const gap = after.stamp - before.stamp;
  if (stamp === after.stamp) return after.speed;
  if (stamp < before.stamp || gap > SPEED_GAP) return undefined;
  return before.speed + ((stamp - before.stamp) / gap) * (after.speed - before.speed);
}

interface StampedImage {
  readonly cdr: Uint8Array;
  readonly stamp: number;
  readonly speed?: number;
}

/** Speeds around the stamps that are asked for, which grow: what lies behind them is forgotten. */
class SpeedTrack {
  #samples: Sample[] = [];

  add(sample: Sample): void {
    this.#samples.push(sample);
  }

  get end(): number {
    return this.#samples.at(-1)?.stamp ?? -Infinity;
  }

  at(stamp: number): number | undefined {
    const after = this.#samples.findIndex((sample) => sample.stamp >= stamp);
    if (after < 0) return undefined;
    const speed = interpolate(this.#samples[Math.max(0, after - 1)], this.#samples[after], stamp);
    this.#samples = this.#samples.slice(Math.max(0, after - 1));
    return speed;
  }
}

function naming<T>(path: string, topic: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new FrameSourceError(path, `a message on ${topic} cannot be read (${describe(error)})`);
  }
}

/** The camera's messages in the order of their reception, with the speed at their stamps. */
async function* images(bag: Bag, { image, speed }: CameraTopics): AsyncGenerator<StampedImage> {
  const stampOf = ({ topic, cdr, receivedNs }: BagMessage) =>
    naming(bag.path, topic, () => messageSeconds(readMessage(image.type, cdr).header, receivedNs));
  if (!speed) {
    for await (const message of bag.messages([image.name])) yield { cdr: message.cdr, stamp: stampOf(message) };
    return;
  }
  const track = new SpeedTrack();
  const waiting: StampedImage[] = [];
  const next = (): StampedImage => {
    const first = waiting.shift()!;
    return { ...first, speed: track.at(first.stamp) };
  };
  const messages = bag.messages([image.name, speed.name])[Symbol.asyncIterator]();
  let damage: unknown;
  for (;;) {
    const result = await messages.next().catch((error: unknown) => void (damage = error));
    if (!result || result.done) break;
    const message = result.value;
    if (message.topic === image.name) waiting.push({ cdr: message.cdr.slice(), stamp: stampOf(message) });
    else {
      const { header, speed: value } = naming(bag.path, speed.name, () => readSpeed(speed.type, message.cdr));
      track.add({ stamp: messageSeconds(header, message.receivedNs), speed: value });
    }
    while (waiting.length > WAITING || (waiting.length > 0 && waiting[0].stamp <= track.end)) yield next();
  }
  while (waiting.length > 0) yield next();
  if (damage !== undefined) throw damage;
}

/** Frames per second by the median of the first stamps' differences. */
async function frameRate(bag: Bag, topics: CameraTopics): Promise<number> {
  const stamps: number[] = [];
  for await (const { stamp } of images(bag, { ...topics, speed: undefined })) {
    stamps.push(stamp);
    if (stamps.length === RATE_FRAMES) break;
  }
  const steps = stamps.slice(1).map((stamp, i) => stamp - stamps[i]);
  const median = steps.sort((a, b) => a - b)[steps.length >> 1];
  if (median > 0) return 1 / median;
  const problem = `the first ${stamps.length} images on ${topics.image.name} have no growing stamps`;
  throw new FrameSourceError(bag.path, `${problem}: a recording needs at least two`);
}

/** Size of the first image that can be read. */
async function imageSize(bag: Bag, { image }: CameraTopics): Promise<{ width: number; height: number }> {
  let fault: unknown = new FrameSourceError(bag.path, `no image on ${image.name}`);
  let tried = 0;
  for await (const { cdr } of bag.messages([image.name])) {
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
 * The speed is that of nav_msgs/Odometry or geometry_msgs/TwistStamped, interpolated to the images' stamps. A damaged bag gives the frames
 * before the damage, then a warning.
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

    async function* frames(onUnreadable?: UnreadableFrame): AsyncGenerator<RecordedFrame> {
      let count = 0;
      try {
        for await (const { cdr, stamp, speed } of images(bag, topics)) {
          const picture = await readFrame(cdr, stamp).catch((error: unknown) => {
            if (!onUnreadable || !(error instanceof FrameSourceError)) throw error;
            onUnreadable(error);
          });
          if (!picture) continue;
          count++;
          yield { stamp, image: picture.data, speed };
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
      variant: [image.name, topics.cameraInfo, topics.speed?.name ?? ''].join(' '),
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
