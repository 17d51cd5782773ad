/** A video file, an image folder or a camera as image and camera_info, at the source's rate. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { allCoefficients } from '../geometry/lens';
import { readCameraFile } from '../media/cameraFile';
import { openFrameSource, type FrameSource, type VideoFrame } from '../media/frameSource';
import { Pacer } from './pacer';
import type { ReplayParameters } from './replayParameters';
import { scaleCameraInfo } from './ros/cameraInfo';
import { CdrWriter, type Header, type Time } from './ros/cdr';
import { isEnding, onEnd } from './ros/endOnSignal';
import { writeCameraInfo, writeImage, WHOLE_IMAGE, type CameraInfoMessage } from './ros/messages';
import { qos, type Publisher, type RosNode } from './ros/rclnodejs';

const SUBSCRIBER_POLL_MS = 20;

/** Returns what was played. */
export async function playFrames(node: RosNode, parameters: ReplayParameters): Promise<string> {
  const source = await openFrameSource(parameters.source, { start: parameters.startSeconds, loop: parameters.loop });
  onEnd(() => source.close());
  const cameraInfo = await readCameraInfo(parameters);
  if (parameters.topics.length > 0 || parameters.clockHz > 0)
    node.getLogger().warn(`parameters topics and clock are for bags, ${parameters.source} is none: not used`);

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
  return `${await play(node, source, parameters, { image, info, cameraInfo })} frames`;
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
  { source: path, rate, frameId }: ReplayParameters,
  { image, info, cameraInfo }: Outlets,
): Promise<number> {
  const cdr = new CdrWriter();
  const pacer = new Pacer(rate, 0, (seconds) =>
    node.getLogger().warn(`${path}: ${seconds.toFixed(0)} s without a frame are skipped`),
  );
  let published = 0;
  let startStamp: Time | undefined;
  for await (const frame of source.frames()) {
    if (isEnding()) break;
    startStamp ??= node.now().toMsg();
    const playedSeconds = await pacer.until(frame.timestampSeconds);
    if (isEnding()) break;
    const stamp = rate > 0 ? laterBy(startStamp, playedSeconds) : node.now().toMsg();
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
  return {
    header: { stamp: { sec: 0, nanosec: 0 }, frameId: '' },
    width,
    height,
    distortionModel: distortion.model,
    d: allCoefficients(distortion),
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
