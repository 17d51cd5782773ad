/**
 * A frozen model's answers for the frames of a prepared drive, made once and kept in the drive's folder: the pseudo-labels a student
 * learns from (Depth Anything, Yang et al. 2024).
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SingleBar } from 'cli-progress';
import { z } from 'zod';
import { scaleIntrinsics } from '../../geometry/camera';
import { OnnxModel } from '../evaluation/onnxModel';
import type { FrameChannel } from './dataset';
import { RecordFile, type PreparedDrive } from './prepared';

/** Digits of the model's sha256 that name its labels. */
const KEY_DIGITS = 12;

const indexSchema = z.object({
  format: z.literal('depthgrad-labels/1'),
  model: z.string(),
  height: z.int().positive(),
  width: z.int().positive(),
  count: z.int().nonnegative(),
});
type LabelIndex = z.infer<typeof indexSchema>;

/** Disparity 1/Z up to scale, float32 [height, width] of the model's size, of the frames from the first on. */
export interface TeacherLabels extends FrameChannel<Float32Array> {
  readonly height: number;
  readonly width: number;
}

/** @throws Error naming the file that is not there */
export async function modelKey(path: string): Promise<string> {
  if (!existsSync(path)) throw new Error(`data.teacher ${path}: no such model file; npx depthgrad export makes one`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex').slice(0, KEY_DIGITS);
}

/**
 * The teacher's labels of a drive's training part, from its folder where they are there already. Frames are run alone, each as a first
 * frame, with the drive's intrinsics.
 *
 * @param model file that `depthgrad export` wrote
 * @throws Error naming the model file, when it is none or answers with something else than depth
 */
export async function labelDrive(drive: PreparedDrive, model: string): Promise<TeacherLabels> {
  const name = join(drive.folder, `teacher-${await modelKey(model)}`);
  if (!existsSync(`${name}.json`)) await write(drive, model, name);
  const result = indexSchema.safeParse(JSON.parse(readFileSync(`${name}.json`, 'utf8')));
  if (!result.success)
    throw new Error(
      `${name}.json: no teacher's labels, delete it to have them made again:\n${z.prettifyError(result.error)}`,
    );
  const { height, width, count } = result.data;
  const frames = Array.from({ length: count }, (_, i) => i);
  const records = new RecordFile<Float32Array>(`${name}.bin`, { height, width, bytesPerPixel: 4 }, frames);
  return { height, width, count, has: (index) => records.has(index), read: (index, into) => records.read(index, into) };
}

async function write(drive: PreparedDrive, modelPath: string, name: string): Promise<void> {
  const model = await OnnxModel.open(modelPath);
  const partial = `${name}.${process.pid}.partial`;
  const { height, width } = model.size;
  const intrinsics = scaleIntrinsics(drive.intrinsics, width, height);
  const [, count] = drive.split().train;
  const frame = new Uint8Array(drive.width * drive.height * 3);
  const bar = new SingleBar({
    format: `teacher on ${drive.name} [{bar}] {value}/{total} frames, {eta_formatted} left`,
    hideCursor: true,
  });
  // A bar that is updated and was never started keeps a timer, and the process, alive.
  const shown = process.stderr.isTTY;
  if (shown) bar.start(count, 0);
  const file = await open(partial, 'w');
  try {
    for (let index = 0; index < count; index++) {
      drive.readFrame(index, frame);
      const { depth } = await model.run(frame, drive.height, drive.width, model.emptyFeatures(), intrinsics);
      const disparity = depth.map((z) => 1 / z);
      if (!disparity.every((d) => d > 0 && Number.isFinite(d)))
        throw new Error(`${modelPath}: its depth of frame ${index} of ${drive.name} is not above 0 everywhere`);
      await file.writeFile(new Uint8Array(disparity.buffer, disparity.byteOffset, disparity.byteLength));
      if (shown) bar.update(index + 1);
    }
    await file.sync();
    await rename(partial, `${name}.bin`);
    // The index comes last: where it is, the labels are whole.
    const entry: LabelIndex = { format: 'depthgrad-labels/1', model: modelPath, height, width, count };
    await writeFile(`${partial}.json`, JSON.stringify(entry, null, 1));
    await rename(`${partial}.json`, `${name}.json`);
  } finally {
    if (shown) bar.stop();
    await file.close();
    await rm(partial, { force: true });
    await model.close();
  }
}
