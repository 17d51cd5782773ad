/** replay_node: a video file, an image folder or a camera as image and camera_info, at the source's rate. */
import { end, isEnding, onEnd } from './ros/endOnSignal';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCameraFile } from '../media/cameraFile';
import { openFrameSource, type FrameSource, type VideoFrame } from '../media/frameSource';
import { declareReplayParameters, type ReplayParameters } from './replayParameters';
import { scaleCameraInfo } from './ros/cameraInfo';
import { CdrWriter, type Header, type Time } from './ros/cdr';
import { writeCameraInfo, writeImage, WHOLE_IMAGE, type CameraInfoMessage } from './ros/messages';
import { ParameterError } from './ros/parameters';
import { createNode, qos, rclnodejs, type Publisher, type RosNode } from './ros/rclnodejs';

/** Later than this behind its time the replay does not catch up by a burst: it goes on from now. */
const LATE_SECONDS = 0.5;
const SUBSCRIBER_POLL_MS = 20;
const LAST_FRAME_MS = 300;

async function main(): Promise<void> {
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = createNode('replay_node');
  const parameters = declareReplayParameters(node);
  if (parameters.source === '') {
    throw new ParameterError('parameter source: is empty; give a video file, a folder of images or /dev/videoN');
  }
  const source = await openFrameSource(parameters.source, { start: parameters.startSeconds, loop: parameters.loop });
  onEnd(() => source.close());
  const cameraInfo = await readCameraInfo(parameters);

  const options = { qos: qos(parameters.reliability, 2) };
  const image = node.createPublisher('sensor_msgs/msg/Image', 'image', options);
  const info = node.createPublisher('sensor_msgs/msg/CameraInfo', 'camera_info', options);
  node.spin();
  const { width, height, framesPerSecond } = source;
  node
    .getLogger()
    .info(`${parameters.source}: ${width}x${height} at ${framesPerSecond.toFixed(2)} frames/s on ${image.topic}`);
  if (!cameraInfo) node.getLogger().warn(`no calibration for ${parameters.source}: ${info.topic} stays empty`);

  if (parameters.waitForSubscriber) {
    while (image.subscriptionCount === 0 && !isEnding()) await sleep(SUBSCRIBER_POLL_MS);
  }
  const published = await play(node, source, parameters, { image, info, cameraInfo });
  if (isEnding()) return;
  await sleep(LAST_FRAME_MS); // lets the middleware deliver the last frame before its publisher goes
  node.getLogger().info(`end of ${parameters.source} after ${published} frames`);
  await end(0);
}

interface Outlets {
  readonly image: Publisher;
  readonly info: Publisher;
  readonly cameraInfo: CameraInfoMessage | undefined;
}

/** Publishes every frame at its time; the next one is decoded before the wait for it. Returns their number. */
async function play(
  node: RosNode,
  source: FrameSource,
  { rate, frameId }: ReplayParameters,
  { image, info, cameraInfo }: Outlets,
): Promise<number> {
  const cdr = new CdrWriter();
  let published = 0;
  let startMs = performance.now();
  let startStamp = node.now().toMsg();
  for await (const frame of source.frames()) {
    if (isEnding()) break;
    let stamp = node.now().toMsg();
    if (rate > 0) {
      if (published === 0) {
        startMs = performance.now() - (frame.timestampSeconds / rate) * 1000;
        startStamp = laterBy(stamp, -frame.timestampSeconds / rate);
      }
      const dueMs = startMs + (frame.timestampSeconds / rate) * 1000;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      if (waitMs < -LATE_SECONDS * 1000) {
        startMs -= waitMs;
        startStamp = laterBy(startStamp, -waitMs / 1000);
      }
      if (isEnding()) break;
      stamp = laterBy(startStamp, frame.timestampSeconds / rate);
    } else {
      // As fast as it goes still lets signals and the middleware have their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const header = { stamp, frameId };
    if (cameraInfo) publishCameraInfo(info, cdr, header, cameraInfo, frame);
    image.publish(writeFrame(cdr, header, frame));
    published++;
  }
  return published;
}

function writeFrame(cdr: CdrWriter, header: Header, { width, height, data }: VideoFrame): Buffer {
  const image = { header, height, width, encoding: 'rgb8', isBigEndian: false, step: width * 3, data };
  return writeImage(cdr.start(), image).take();
}

function publishCameraInfo(
  publisher: Publisher,
  cdr: CdrWriter,
  header: Header,
  cameraInfo: CameraInfoMessage,
  { width, height }: VideoFrame,
): void {
  const sameSize = cameraInfo.width === width && cameraInfo.height === height;
  const scaled = sameSize ? cameraInfo : scaleCameraInfo(cameraInfo, width, height);
  publisher.publish(writeCameraInfo(cdr.start(), { ...scaled, header }).take());
}

/** The calibration the parameter names, else calib.yaml in or beside the source; undefined where there is none. */
async function readCameraInfo({ source, cameraInfoPath }: ReplayParameters): Promise<CameraInfoMessage | undefined> {
  const nearby = [join(source, 'calib.yaml'), join(dirname(source), 'calib.yaml')].find((path) => existsSync(path));
  const path = cameraInfoPath || nearby;
  if (!path) return undefined;
  const { intrinsics, distortion } = await readCameraFile(path);
  const { width, height, fx, fy, cx, cy } = intrinsics;
  const k1k2p1p2k3 = [0, 1, 2, 3, 4].map((i) => distortion[i] ?? 0);
  return {
    header: { stamp: { sec: 0, nanosec: 0 }, frameId: '' },
    width,
    height,
    distortionModel: 'plumb_bob',
    d: k1k2p1p2k3,
    k: [fx, 0, cx, 0, fy, cy, 0, 0, 1],
    r: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    p: [fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0],
    binningX: 0,
    binningY: 0,
    roi: WHOLE_IMAGE,
  };
}

function laterBy(stamp: Time, seconds: number): Time {
  const nanoseconds = BigInt(stamp.sec) * 1_000_000_000n + BigInt(stamp.nanosec) + BigInt(Math.round(seconds * 1e9));
  return { sec: Number(nanoseconds / 1_000_000_000n), nanosec: Number(nanoseconds % 1_000_000_000n) };
}

main().catch((error: Error) => {
  if (isEnding()) return;
  process.stderr.write(`replay_node: ${error.message}\n`);
  void end(1);
});
