/** Reads recordings for tests. */
import { openRecording } from '../../src/training/datasets/openRecording';
import type { RecordedFrame } from '../../src/training/datasets/recording';

export async function readAll(path: string): Promise<RecordedFrame[]> {
  const recording = await openRecording(path);
  const frames: RecordedFrame[] = [];
  for await (const frame of recording.frames()) frames.push(frame);
  await recording.close();
  expect(recording.frameCount).toBe(frames.length);
  return frames;
}

/** Pixels that have depth, as u, v, Z. */
export function points(depth: Float32Array | undefined, width: number): number[][] {
  return Array.from(depth ?? []).flatMap((z, i) => (z > 0 ? [[i % width, Math.floor(i / width), z]] : []));
}

export function translation(frame: RecordedFrame): number[] {
  return Array.from(frame.pose?.translation ?? []);
}
