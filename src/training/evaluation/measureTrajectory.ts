/** A model's trajectory over a recording that knows the true one: figures, picture and files. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Se3 } from '../../geometry/se3';
import { writeTrajectoryPlot } from '../../media/trajectoryPlot';
import type { FrameSequence } from '../datasets/dataset';
import { estimateTrajectory, straightAhead, type TrajectoryOptions } from './estimateTrajectory';
import { compareTrajectories, type TrajectoryErrors, type TrajectoryProtocol } from './trajectory';
import { writeTumTrajectory } from './tumFile';

/** What is written besides; folders are made. */
export interface TrajectoryFiles {
  /** PNG of both paths seen from above, the estimate aligned. */
  plot?: string;
  /** The estimate as it is, in TUM form: from the first frame that has a true pose on, which is its origin. */
  tum?: string;
  /** The true path from the same origin. */
  tumTruth?: string;
}

export interface TrajectoryResult extends TrajectoryErrors {
  drive: string;
}

const seen = (poses: readonly Se3[]) => poses.map(({ translation: [x, , z] }) => [x, z] as const);

/**
 * @param modelPath exported model; undefined for the camera that goes straight ahead
 * @throws Error naming the drive without poses, or the model that cannot be read
 */
export async function measureTrajectory(
  modelPath: string | undefined,
  drive: FrameSequence,
  options: TrajectoryOptions & { protocol?: TrajectoryProtocol } = {},
  files: TrajectoryFiles = {},
): Promise<TrajectoryResult> {
  const { poses } = drive;
  if (!poses)
    throw new Error(
      `${drive.name}: it has no true poses to compare with; docs/datasets.md says which layouts have them`,
    );
  for (const file of [files.plot, files.tum, files.tumTruth])
    if (file !== undefined) await mkdir(dirname(file), { recursive: true });
  const estimate =
    modelPath === undefined ? straightAhead(drive, options) : await estimateTrajectory(modelPath, drive, options);
  const trueOf = estimate.frames.map((frame) => poses[frame]);
  const { errors, estimated, truth, aligned } = compareTrajectories(estimate.poses, trueOf, options.protocol);
  const stamps = estimate.frames
    .filter((frame) => poses[frame] !== undefined)
    .map((frame) => drive.stamps?.[frame] ?? frame / drive.framesPerSecond);
  if (files.tum !== undefined) await writeTumTrajectory(files.tum, stamps, estimated);
  if (files.tumTruth !== undefined) await writeTumTrajectory(files.tumTruth, stamps, truth);
  if (files.plot !== undefined) {
    const paths = [
      { name: 'true', color: '#999999', points: seen(truth) },
      { name: 'estimated', color: '#832681', points: seen(aligned) },
    ];
    const figures = `ATE ${errors.ate_sim3_rmse_m.toPrecision(3)} m over ${errors.path_length_m.toPrecision(3)} m`;
    await writeTrajectoryPlot(files.plot, paths, {
      title: drive.name,
      subtitle: `seen from above, metres, the estimate aligned by Sim(3): ${figures}`,
    });
  }
  return { drive: drive.name, ...errors };
}
