/** The calib.yaml of a camera or dataset: size, intrinsics, distortion, and what else is known of the recording. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Intrinsics } from '../geometry/camera';
import { LENS_COEFFICIENTS, LENS_MODELS, type Distortion } from '../geometry/lens';

const numbers = {
  image_width: z.int().positive(),
  image_height: z.int().positive(),
  fx: z.number().positive(),
  fy: z.number().positive(),
  cx: z.number(),
  cy: z.number(),
  distortion_model: z.enum(LENS_MODELS).default('plumb_bob'),
  distortion: z.array(z.number()).default([]),
  fps: z.number().positive().optional(),
  usable_rows: z.int().positive().optional(),
  depth_scale_per_m: z.number().positive().optional(),
  stereo_baseline_m: z.number().positive().optional(),
};

/** Of plumb_bob the last coefficients may be left out. */
const cameraSchema = z.object(numbers).superRefine(({ distortion_model: model, distortion }, context) => {
  const refuse = (message: string) => context.addIssue({ code: 'custom', path: ['distortion'], message });
  const length = LENS_COEFFICIENTS[model];
  const fits = model === 'plumb_bob' ? distortion.length <= length : distortion.length === length;
  if (!fits) refuse(`has ${distortion.length} coefficients, ${model} ${length}`);
  else if (model === 'equidistant' && distortion.every((coefficient) => coefficient === 0))
    // In camera_info they say so, and depth_node believes them (image_geometry, too); a fisheye they would be here.
    refuse('all zero says rectified in ROS: leave distortion_model out, or for an ideal fisheye make one of them 1e-9');
});

export interface CameraFile {
  readonly intrinsics: Intrinsics;
  readonly distortion: Distortion;
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
    distortion: { model: camera.distortion_model, coefficients: camera.distortion },
    framesPerSecond: camera.fps,
    usableRows: camera.usable_rows,
    depthScalePerMeter: camera.depth_scale_per_m,
    baselineMeters: camera.stereo_baseline_m,
  };
}
