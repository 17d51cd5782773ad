/** The similarity, or rigid motion, that brings one path closest to another in the least-squares sense. */
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { compose, identity, transformPoint, type Se3 } from '../../geometry/se3';

/** x -> scale * rotation * x + translation. */
export interface Similarity {
  readonly scale: number;
  readonly motion: Se3;
}

/**
 * sim3: rotation, translation and scale. se3: scale stays 1. scale: that of sim3 alone, as evo's `--correct_scale` without `--align` does it, for paths
 * that start in one place.
 */
export type AlignmentKind = 'sim3' | 'se3' | 'scale';

type Vector = readonly [number, number, number];

function meanOf(poses: readonly Se3[]): Vector {
  const sum = [0, 0, 0];
  for (const { translation } of poses) for (let k = 0; k < 3; k++) sum[k] += translation[k];
  return [sum[0] / poses.length, sum[1] / poses.length, sum[2] / poses.length];
}

/**
 * The alignment of an estimated path to the true one, by the positions alone. On a straight path the rotation about the line is not determined: one of
 * those that fit equally well is taken, and the positions' errors are the same for all.
 *
 * Source: Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point Patterns", PAMI 1991, eq. 34-43.
 *
 * @param estimated, truth poses of the same moments, at least two
 * @throws Error where a path stays in one place: no rotation and no scale is better than another
 */
export function alignPaths(estimated: readonly Se3[], truth: readonly Se3[], kind: AlignmentKind): Similarity {
  const count = truth.length;
  if (estimated.length !== count || count < 2)
    throw new RangeError(
      `${estimated.length} estimated and ${count} true poses: at least two of each, as many, are needed`,
    );
  const from = meanOf(estimated);
  const to = meanOf(truth);
  const covariance = Matrix.zeros(3, 3);
  let variance = 0;
  let trueVariance = 0;
  for (let i = 0; i < count; i++) {
    for (let row = 0; row < 3; row++) {
      const y = truth[i].translation[row] - to[row];
      trueVariance += (y * y) / count;
      variance += (estimated[i].translation[row] - from[row]) ** 2 / count;
      for (let column = 0; column < 3; column++) {
        const x = estimated[i].translation[column] - from[column];
        covariance.set(row, column, covariance.get(row, column) + (x * y) / count);
      }
    }
  }
  for (const [name, spread, middle] of [
    ['estimated', variance, from],
    ['true', trueVariance, to],
  ] as const) {
    // What rounding leaves of a place far from the origin is no motion.
    if (!(spread > (1e-12 * Math.hypot(...middle)) ** 2))
      throw new Error(`the ${name} path stays in one place: it cannot be aligned`);
  }
  const decomposition = new SingularValueDecomposition(covariance);
  const { leftSingularVectors: u, rightSingularVectors: v, diagonal } = decomposition;
  const sign = determinant(u) * determinant(v) < 0 ? -1 : 1;
  const signs = Matrix.diag([1, 1, sign]);
  const scale = kind === 'se3' ? 1 : (diagonal[0] + diagonal[1] + sign * diagonal[2]) / variance;
  if (kind === 'scale') return { scale, motion: identity() };
  const rotation = Float64Array.from(u.mmul(signs).mmul(v.transpose()).to1DArray());
  const turned = transformPoint({ rotation, translation: new Float64Array(3) }, ...from);
  const translation = Float64Array.from(to, (value, k) => value - scale * turned[k]);
  return { scale, motion: { rotation, translation } };
}

function determinant(m: Matrix): number {
  const [a, b, c, d, e, f, g, h, i] = m.to1DArray();
  return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
}

/** A pose's position through the similarity, its orientation through the rotation. */
export function applySimilarity({ scale, motion }: Similarity, { rotation, translation }: Se3): Se3 {
  return compose(motion, { rotation, translation: translation.map((value) => scale * value) });
}
