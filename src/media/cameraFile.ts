/** The calib.yaml of a camera or dataset: size, intrinsics, distortion, and what else is known of the recording. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Intrinsics, PlumbBob } from '../geometry/camera';

const cameraSchema = z.object({
  image_width: z.int().positive(),
  image_height: z.int().positive(),
  fx: z.number().positive(),
  fy: z.number().positive(),
  cx: z.number(),
  cy: z.number(),
  distortion: z.array(z.number()).max(5).default([]),
  fps: z.number().positive().optional(),
  usable_rows: z.int().positive().optional(),
  depth_scale_per_m: z.number().positive().optional(),
  stereo_baseline_m: z.number().positive().optional(),
});

export interface CameraFile {
  readonly intrinsics: Intrinsics;
  /** k1, k2, p1, p2, k3 of plumb_bob; empty when rectified. */
  readonly distortion: PlumbBob;
  readonly framesPerSecond?: number;
  /** Rows above the own vehicle's hood, counted from the top. */
  readonly usableRows?: number;
  /** Steps of a 16-bit depth image per metre. */
  readonly depthScalePerMeter?: number;
  /** Distance between the cameras of a rectified stereo pair. */
  readonly baselineMeters?: number;
}

/** @throws Error naming the file and the field that is missing or wrong */
export async function readCameraFile(path: string): Promise<CameraFile> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path}: the camera file cannot be read (${error.code}); scripts/calibrate.py makes one`);
  });
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    throw new Error(`${path}: not YAML (${error instanceof Error ? error.message : String(error)})`);
  }
  const result = cameraSchema.safeParse(content);
  if (!result.success)
    throw new Error(
      `${path}: not a camera file; correct it, or make one with scripts/calibrate.py:\n${z.prettifyError(result.error)}`,
    );
  const camera = result.data;
  if (camera.usable_rows !== undefined && camera.usable_rows > camera.image_height) {
    throw new Error(`${path}: usable_rows is ${camera.usable_rows}, but image_height only ${camera.image_height}`);
  }
  return {
    intrinsics: {
      width: camera.image_width,
      height: camera.image_height,
      fx: camera.fx,
      fy: camera.fy,
      cx: camera.cx,
      cy: camera.cy,
    },
    distortion: camera.distortion,
    framesPerSecond: camera.fps,
    usableRows: camera.usable_rows,
    depthScalePerMeter: camera.depth_scale_per_m,
    baselineMeters: camera.stereo_baseline_m,
  };
}
