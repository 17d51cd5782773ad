/** replay_node: a video file, an image folder or a camera as image and camera_info, or a ROS 2 bag as it was recorded. */
import { end, isEnding, onEnd } from './ros/endOnSignal';
import { setTimeout as sleep } from 'node:timers/promises';
import { isBag } from '../media/bag/bag';
import { playBag } from './bagPlayer';
import { playFrames } from './framePlayer';
import { declareReplayParameters } from './replayParameters';
import { ParameterError } from './ros/parameters';
import { createNode, rclnodejs } from './ros/rclnodejs';

const LAST_MESSAGE_MS = 300;

async function main(): Promise<void> {
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = createNode('replay_node');
  const parameters = declareReplayParameters(node);
  const { source } = parameters;
  if (source === '') {
    const sources = 'a video file, a folder of images, /dev/videoN or a ROS 2 bag';
    throw new ParameterError(`parameter source: is empty; give ${sources}`);
  }
  const played = (await isBag(source)) ? await playBag(node, parameters) : await playFrames(node, parameters);
  if (isEnding()) return;
  await sleep(LAST_MESSAGE_MS); // lets the middleware deliver the last message before its publisher goes
  node.getLogger().info(`end of ${source} after ${played}`);
  await end(0);
}

main().catch((error: Error) => {
  if (isEnding()) return;
  process.stderr.write(`replay_node: ${error.message}\n`);
  void end(1);
});
