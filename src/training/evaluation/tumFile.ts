/** Trajectories in the text form of the TUM RGB-D benchmark, which evo reads: evo_ape tum TRUTH ESTIMATE --align --correct_scale. */
import { writeFile } from 'node:fs/promises';
import { quaternionFromRotation, type Se3 } from '../../geometry/se3';

/**
 * Writes lines "stamp tx ty tz qx qy qz qw".
 * @param stamps seconds, [count], growing
 * @param poses camera-to-world, [count]
 */
export async function writeTumTrajectory(
  file: string,
  stamps: readonly number[],
  poses: readonly Se3[],
): Promise<void> {
  const lines = poses.map(({ translation, rotation }, i) =>
    [
      stamps[i].toFixed(6),
      ...[...translation, ...quaternionFromRotation(rotation)].map((value) => value.toFixed(9)),
    ].join(' '),
  );
  await writeFile(file, ['# timestamp tx ty tz qx qy qz qw', ...lines, ''].join('\n'));
}
