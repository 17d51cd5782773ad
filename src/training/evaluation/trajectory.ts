/**
 * Errors of an estimated trajectory against the true one. Poses are camera-to-world; positions are metres, or the depth map's units before a scale is
 * fitted. test/training/evaluation/trajectory.test.ts has evo as the referee.
 */
import { compose, fromVector6, identity, inverse, axisAngleFromRotation, type Se3 } from '../../geometry/se3';
import { alignPaths, applySimilarity, type AlignmentKind, type Similarity } from './umeyama';

/** Lengths of KITTI's odometry segments, metres. */
export const KITTI_LENGTHS: readonly number[] = [100, 200, 300, 400, 500, 600, 700, 800];
/** A segment starts at every tenth frame, as in KITTI's devkit. */
const SEGMENT_STEP = 10;
/** Frames of SfMLearner's snippets. */
export const SNIPPET_FRAMES = 5;
const DEGREES = 180 / Math.PI;

/**
 * Camera-to-world poses, the first one the identity, of a camera's motions between frames.
 * @param egoMotions 6-vectors, each the pose of a frame's camera in the camera of the frame before
 * @returns one pose more than motions
 */
export function chainEgoMotions(egoMotions: Iterable<ArrayLike<number>>): Se3[] {
  const poses = [identity()];
  for (const egoMotion of egoMotions) poses.push(compose(poses[poses.length - 1], fromVector6(egoMotion)));
  return poses;
}

/** The same path with its first pose at the identity. */
export function fromFirstPose(poses: readonly Se3[]): Se3[] {
  if (poses.length === 0) return [];
  const toFirst = inverse(poses[0]);
  return poses.map((pose) => compose(toFirst, pose));
}

/** Metres from pose to pose, added up from the first one, [count]. */
export function distancesAlong(poses: readonly Se3[]): Float64Array {
  const distances = new Float64Array(poses.length);
  for (let i = 1; i < poses.length; i++)
    distances[i] = distances[i - 1] + distance(poses[i - 1].translation, poses[i].translation);
  return distances;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

function angleOf({ rotation }: Se3): number {
  return Math.hypot(...axisAngleFromRotation(rotation));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function rootMeanSquare(values: readonly number[]): number {
  return Math.sqrt(mean(values.map((value) => value * value)));
}

/** Absolute trajectory error: root mean square of the positions' distances, metres (Sturm et al., IROS 2012, 5). */
export function absoluteError(aligned: readonly Se3[], truth: readonly Se3[]): number {
  return rootMeanSquare(aligned.map(({ translation }, i) => distance(translation, truth[i].translation)));
}

/** Translation in metres and rotation in degrees of the motion between two poses, estimated against true (Sturm et al., eq. 2). */
function relativeError(
  estimated: readonly Se3[],
  truth: readonly Se3[],
  from: number,
  to: number,
): { translation: number; rotation: number } {
  const trueMotion = compose(inverse(truth[from]), truth[to]);
  const error = compose(inverse(trueMotion), compose(inverse(estimated[from]), estimated[to]));
  return { translation: Math.hypot(...error.translation), rotation: DEGREES * angleOf(error) };
}

export interface RelativeErrors {
  rpe_translation_rmse_m: number;
  rpe_translation_mean_m: number;
  rpe_rotation_rmse_deg: number;
  rpe_rotation_mean_deg: number;
}

/**
 * Relative pose error from frame to frame.
 * @param estimated in the truth's scale
 * @param follows whether pose i + 1 is the frame after pose i; by default all do
 */
export function relativeErrors(
  estimated: readonly Se3[],
  truth: readonly Se3[],
  follows: (index: number) => boolean = () => true,
): RelativeErrors {
  const errors = [];
  for (let i = 0; i + 1 < truth.length; i++) if (follows(i)) errors.push(relativeError(estimated, truth, i, i + 1));
  const translations = errors.map(({ translation }) => translation);
  const rotations = errors.map(({ rotation }) => rotation);
  return {
    rpe_translation_rmse_m: rootMeanSquare(translations),
    rpe_translation_mean_m: mean(translations),
    rpe_rotation_rmse_deg: rootMeanSquare(rotations),
    rpe_rotation_mean_deg: mean(rotations),
  };
}

/** Mean drift over segments of one length. */
export interface SegmentErrors {
  length_m: number;
  segments: number;
  translation_percent: number;
  rotation_deg_per_100m: number;
}

/**
 * Drift over segments of the true path, as KITTI's devkit (evaluate_odometry.cpp) measures it: from every tenth frame to the first that lies more than
 * the length further along.
 * @param estimated in the truth's scale
 * @returns a row per length the path is long enough for, and the mean over all segments; undefined where it is too short for any
 */
export function segmentErrors(
  estimated: readonly Se3[],
  truth: readonly Se3[],
  lengths: readonly number[] = KITTI_LENGTHS,
): { all: Omit<SegmentErrors, 'length_m'>; byLength: SegmentErrors[] } | undefined {
  const distances = distancesAlong(truth);
  const found = lengths.map((length) => {
    const segments = [];
    for (let from = 0; from < truth.length; from += SEGMENT_STEP) {
      const to = distances.findIndex((along, i) => i >= from && along > distances[from] + length);
      if (to < 0) break;
      const { translation, rotation } = relativeError(estimated, truth, from, to);
      segments.push({ percent: (100 * translation) / length, degrees: (100 * rotation) / length });
    }
    return segments;
  });
  const summary = (segments: (typeof found)[number]) => ({
    segments: segments.length,
    translation_percent: mean(segments.map(({ percent }) => percent)),
    rotation_deg_per_100m: mean(segments.map(({ degrees }) => degrees)),
  });
  const all = found.flat();
  if (all.length === 0) return undefined;
  const byLength = found.flatMap((segments, i) =>
    segments.length > 0 ? [{ length_m: lengths[i], ...summary(segments) }] : [],
  );
  return { all: summary(all), byLength };
}

/**
 * Error of one snippet in SfMLearner's form: both start at the origin, one scale fits the estimate, and the ROOT OF THE SUM of squared distances is divided by
 * the number of frames (compute_ate in its pose_evaluation_utils.py). Times sqrt(frames) it is the usual root mean square, which evo prints.
 * @param estimated, truth poses of the snippet's frames
 */
export function snippetError(estimated: readonly Se3[], truth: readonly Se3[]): number {
  const positions = fromFirstPose(estimated).map(({ translation }) => translation);
  const truePositions = fromFirstPose(truth).map(({ translation }) => translation);
  let [both, own] = [0, 0];
  positions.forEach((position, i) => {
    for (let k = 0; k < 3; k++) {
      both += position[k] * truePositions[i][k];
      own += position[k] * position[k];
    }
  });
  // An estimate without motion stays where it is under every scale.
  const scale = own > 0 ? both / own : 1;
  const squares = positions.map((position, i) => {
    const scaled = position.map((value) => scale * value);
    return distance(scaled, truePositions[i]) ** 2;
  });
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0)) / truth.length;
}

/** Figures of a trajectory; those that the recording is too short for are not there. */
export interface TrajectoryErrors extends RelativeErrors {
  /** Poses compared. */
  frames: number;
  path_length_m: number;
  /** Metres per unit of the estimate, by the Sim(3) alignment; 1 for an estimate that is metric. */
  scale: number;
  /** Absolute trajectory error, root mean square, after each kind of alignment (umeyama.ts). */
  ate_sim3_rmse_m: number;
  ate_se3_rmse_m: number;
  ate_scale_rmse_m: number;
  /** Over SfMLearner's snippets of five frames, in its form (snippetError): mean and population standard deviation. */
  snippet_ate_mean_m?: number;
  snippet_ate_std_m?: number;
  /** Mean drift over KITTI's segments of all lengths. */
  drift_percent?: number;
  drift_deg_per_100m?: number;
  drift_by_length?: SegmentErrors[];
}

export interface TrajectoryProtocol {
  /** fitted: frame-to-frame errors and drift of the estimate brought to metres by the Sim(3) alignment. metric: of the estimate as it is. */
  scale: 'fitted' | 'metric';
  /** Of the segments whose drift is measured, metres. */
  lengths: readonly number[];
}

export interface TrajectoryComparison {
  readonly errors: TrajectoryErrors;
  /** Of the frames compared: the estimate as it is and the true path, both from the identity, and the estimate aligned to it by Sim(3). */
  readonly estimated: readonly Se3[];
  readonly truth: readonly Se3[];
  readonly aligned: readonly Se3[];
}

/**
 * Compares an estimated trajectory with the true one.
 * @param estimated a pose per frame, of any scale and origin
 * @param truth a pose per frame, metres; undefined where a frame has none: those are not compared
 * @throws Error where fewer than two frames have a true pose or a path does not move
 */
export function compareTrajectories(
  estimated: readonly Se3[],
  truth: readonly (Se3 | undefined)[],
  { scale: scaling, lengths }: TrajectoryProtocol = { scale: 'fitted', lengths: KITTI_LENGTHS },
): TrajectoryComparison {
  if (estimated.length !== truth.length)
    throw new RangeError(`${estimated.length} estimated poses for ${truth.length} frames`);
  const frames = truth.flatMap((pose, i) => (pose ? [i] : []));
  if (frames.length < 2) throw new Error(`${frames.length} of ${truth.length} frames have a true pose: two are needed`);
  const own = fromFirstPose(frames.map((i) => estimated[i]));
  const actual = fromFirstPose(truth.filter((pose) => pose !== undefined));
  const apply = (similarity: Similarity) => own.map((pose) => applySimilarity(similarity, pose));
  const similarities = Object.fromEntries(
    (['sim3', 'se3', 'scale'] as const).map((kind) => [kind, alignPaths(own, actual, kind)]),
  ) as Record<AlignmentKind, Similarity>;
  const aligned = apply(similarities.sim3);
  const compared = scaling === 'fitted' ? aligned : own;
  const follows = (i: number) => frames[i + 1] === frames[i] + 1;
  const snippets: number[] = [];
  for (let i = 0; i + SNIPPET_FRAMES <= frames.length; i++) {
    const end = i + SNIPPET_FRAMES;
    if (frames[end - 1] !== frames[i] + SNIPPET_FRAMES - 1) continue;
    snippets.push(snippetError(own.slice(i, end), actual.slice(i, end)));
  }
  const snippetMean = mean(snippets);
  const drift = segmentErrors(compared, actual, lengths);
  const errors: TrajectoryErrors = {
    frames: frames.length,
    path_length_m: distancesAlong(actual)[frames.length - 1],
    scale: similarities.sim3.scale,
    ate_sim3_rmse_m: absoluteError(aligned, actual),
    ate_se3_rmse_m: absoluteError(apply(similarities.se3), actual),
    ate_scale_rmse_m: absoluteError(apply(similarities.scale), actual),
    ...relativeErrors(compared, actual, follows),
    ...(snippets.length > 0 && {
      snippet_ate_mean_m: snippetMean,
      snippet_ate_std_m: rootMeanSquare(snippets.map((error) => error - snippetMean)),
    }),
    ...(drift && {
      drift_percent: drift.all.translation_percent,
      drift_deg_per_100m: drift.all.rotation_deg_per_100m,
      drift_by_length: drift.byLength,
    }),
  };
  return { errors, estimated: own, truth: actual, aligned };
}
