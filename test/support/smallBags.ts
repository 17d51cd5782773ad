/** Bags of a few small pictures, and what is read of them as recordings. */
import { join } from 'node:path';
import { openRosBag } from '../../src/training/datasets/rosBag';
import { cameraInfoMessage, imageMessage, writeMcap, type WrittenMessage } from './bagWriter';

export const image = (t: number, fields: object = {}) => imageMessage('/cam/image_raw', t, 32, 24, fields);
export const info = (fields: object = {}, topic = '/cam/camera_info') => cameraInfoMessage(topic, 1, fields);

/** Writes bags into a folder: bag0.mcap, bag1.mcap, ... */
export function bagsIn(folder: string): (messages: WrittenMessage[]) => Promise<string> {
  let bags = 0;
  return async (messages) => {
    const path = join(folder, `bag${bags++}.mcap`);
    await writeMcap(path, messages, { chunkSize: 5000 });
    return path;
  };
}

/** Every frame of the recording, copied. */
export async function framesOf(path: string, warn?: (message: string) => void) {
  const recording = await openRosBag(path, warn);
  const read = [];
  for await (const { stamp, image, speed, pose } of recording.frames())
    read.push({ stamp, image: image.slice(), speed, pose });
  await recording.close();
  return { recording, read };
}
