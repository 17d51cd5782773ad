/** The camera of a run's recordings, kept in the run folder: the recording need not be there any more when the model is exported. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Intrinsics } from '../geometry/camera';
import { allCoefficients } from '../geometry/lens';
import { readCameraFile, type CameraFile } from '../media/cameraFile';
import { resolveFile } from '../paths';
import { openRecording } from './datasets/openRecording';
import { preparedView } from './datasets/undistort';
import type { Recipe } from './recipe';

const CAMERA_FILE = 'camera.yaml';

/** Writes the camera of the recipe's first recording into the run folder; nothing where it has none. */
export async function writeRunCamera(recipe: Recipe, run: string): Promise<void> {
  const { drives, measured, unlabelled } = recipe.data;
  const [drive] = [...drives, ...measured, ...unlabelled];
  if (drive === undefined) return;
  const recording = await openRecording(resolveFile(drive), { cameraFile: resolveFile(recipe.data.camera) });
  await recording.close();
  const { intrinsics, distortion, usableRows } = recording.camera;
  const { width, height, fx, fy, cx, cy } = intrinsics;
  const lens = { distortion_model: distortion.model, distortion: allCoefficients(distortion) };
  const camera = { image_width: width, image_height: height, fx, fy, cx, cy, ...lens, usable_rows: usableRows };
  writeFileSync(join(run, CAMERA_FILE), stringify(camera));
}

/** Where the camera is written that the run was trained with; of runs on rendered scenes alone, the recipe's. */
function runCameraFile(recipe: Recipe, run: string): string {
  const file = join(run, CAMERA_FILE);
  return existsSync(file) ? file : resolveFile(recipe.data.camera);
}

/** @throws Error naming the file and the field that is missing or wrong */
export async function readRunCamera(recipe: Recipe, run: string): Promise<CameraFile> {
  return readCameraFile(runCameraFile(recipe, run));
}

/** What the run's network has seen of it at width x height. @throws Error naming the file where its lens leaves no such view */
export async function readRunView(recipe: Recipe, run: string, width: number, height: number): Promise<Intrinsics> {
  const camera = await readRunCamera(recipe, run);
  try {
    return preparedView(camera, width, height);
  } catch (error) {
    throw new Error(`${runCameraFile(recipe, run)}: ${(error as Error).message}`);
  }
}
