/** The files of a demo run. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { upperMedian } from '../geometry/statistics';
import {
  confidencePicture,
  depthPicture,
  depthRange,
  gradientPicture,
  type DepthRange,
  type Picture,
} from '../media/pictures';
import { AnimatedWebp, writeContactSheet } from '../media/pictureFiles';
import type { AdaptationReport } from './messages';
import type { Percentiles } from './percentiles';
import type { Sample } from './sampler';
import { writeTrajectoryPlot } from '../media/trajectoryPlot';

/** report.json. Times of `latency_ms`: image taken by depth_node to its maps published. */
export interface DemoReport {
  readonly frames_in: number;
  readonly frames_out: number;
  /** Displaced in depth_node by a newer frame. */
  readonly dropped: number;
  /** Depths per second between the first and the last one. */
  readonly fps: number;
  readonly latency_ms: Percentiles;
  readonly model: { readonly name: string; readonly version: string; readonly sha256: string };
  readonly ros: { readonly distro: string; readonly rmw: string };
  readonly source: string;
  /** Between the first depth and the last. */
  readonly seconds: number;
  /** Start of this program to the first depth. */
  readonly first_depth_s: number;
  /** Stamp of the image to its depth received by another process. */
  readonly stamp_to_depth_ms: Percentiles;
  /** With --adapt. */
  readonly adaptation?: AdaptationReport;
}

export interface DemoResult {
  readonly report: DemoReport;
  readonly samples: readonly Sample[];
  /** Positions x right, y down, z ahead, in units of the depth map. */
  readonly path: readonly (readonly [x: number, y: number, z: number])[];
}

export const FILES = ['frames.png', 'depth.webp', 'trajectory.png', 'report.json'] as const;

/** Writes frames.png, depth.webp, trajectory.png and report.json; returns their paths. */
export async function writeOutputs(folder: string, { report, samples, path }: DemoResult): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const [frames, animation, trajectory, reportFile] = FILES.map((name) => join(folder, name));
  await writeFile(reportFile, `${JSON.stringify(report, null, 2)}\n`);
  const range = commonRange(samples);
  await writeFrames(frames, samples, range);
  await writeAnimation(animation, samples, range);
  const points = path.map(([x, , z]) => [x, z] as const);
  const note = points.length > 1 ? '' : ' (no ego-motion: the camera has no calibration, or nothing was estimated)';
  await writeTrajectoryPlot(trajectory, [{ name: 'camera', color: '#832681', points }], {
    title: `${report.source}, ${report.seconds.toFixed(0)} s`,
    subtitle: `ego-motion added up, seen from above, in units of the depth map${note}`,
  });
  return [frames, animation, trajectory, reportFile];
}

/** One range of colours for all pictures: the median of the samples' own, or colours would flicker. */
function commonRange(samples: readonly Sample[]): DepthRange {
  const ranges = samples.map(({ depth }) => depthRange(depth));
  return { near: upperMedian(ranges.map(({ near }) => near)), far: upperMedian(ranges.map(({ far }) => far)) };
}

/** A row per moment: camera, depth, gradient, confidence. */
async function writeFrames(file: string, samples: readonly Sample[], range: DepthRange): Promise<void> {
  const rows: Picture[][] = [];
  for (const { camera, depth, gradient, confidence, height, width } of samples) {
    if (!gradient || !confidence) continue;
    rows.push([
      camera,
      depthPicture(depth, height, width, range),
      gradientPicture(gradient, height, width),
      confidencePicture(confidence, height, width),
    ]);
  }
  if (rows.length === 0)
    throw new Error(`${file}: no frame was seen whole (image, depth, gradient and confidence of one stamp)`);
  const { width, height } = rows[0][0];
  await writeContactSheet(file, rows, width, height, ['camera', 'depth', 'depth gradient', 'confidence']);
}

/** The camera above its depth, in the drive's own time. */
async function writeAnimation(file: string, samples: readonly Sample[], range: DepthRange): Promise<void> {
  const { width, height } = samples[0].camera;
  const seconds = samples[samples.length - 1].stampSeconds - samples[0].stampSeconds;
  const framesPerSecond = seconds > 0 ? (samples.length - 1) / seconds : 1;
  const animation = new AnimatedWebp(file, { width, height: 2 * height, framesPerSecond });
  for (const sample of samples) await animation.add(stack(sample, range, width, height));
  await animation.finish();
}

function stack({ camera, depth, ...map }: Sample, range: DepthRange, width: number, height: number): Picture {
  const below = depthPicture(depth, map.height, map.width, range);
  const data = new Uint8Array(width * height * 2 * 3);
  copyNearest(camera, data, 0, width, height);
  copyNearest(below, data, width * height * 3, width, height);
  return { width, height: 2 * height, data };
}

function copyNearest(from: Picture, to: Uint8Array, offset: number, width: number, height: number): void {
  for (let v = 0; v < height; v++) {
    const row = Math.floor(((v + 0.5) * from.height) / height) * from.width;
    for (let u = 0; u < width; u++) {
      const at = 3 * (row + Math.floor(((u + 0.5) * from.width) / width));
      const place = offset + 3 * (v * width + u);
      to[place] = from.data[at];
      to[place + 1] = from.data[at + 1];
      to[place + 2] = from.data[at + 2];
    }
  }
}
