/**
 * Poses of consecutive frames chained to an odometry: pose with covariance in the odometry frame, twist in the child frame (REP 105).
 *
 * Only increments are scaled, so neither a scale correction nor another model steps the pose. Errors are a translation in the odometry frame's axes and
 * a rotation vector about them, as nav_msgs/Odometry has it; they are carried on by
 *
 *     p' = p + R t,  dp' = dp - [R t]x dtheta + R dt,  dtheta' = dtheta + R domega
 *
 * (Barfoot, State Estimation for Robotics, 2017, 7.3, to first order). The errors of motions that follow each other are much alike: what makes them is the depth map, and a scale or a
 * direction that is off stays off for a while and adds up along the way. So the error of a motion is L x + t (l + s): L L' is its covariance, and x, l and s are carried along as slowly
 * changing (first-order Gauss-Markov). Taken for independent, they would make the pose's covariance several times too small; s is the metric scale's, which is off for minutes where l, the
 * network's, is for a part of a second. Where a motion is not known the last twist is gone on with for a while, and the covariance grows by what the vehicle could have done instead.
 */
import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { compose, fromVector6, identity, type Se3 } from '../geometry/se3';
import { congruent, minusCross } from './congruence';

/** What is not known of a motion. */
export interface MotionUncertainty {
  /** 6x6 row-major, positive definite, in the frame before's axes. */
  readonly covariance: Float64Array;
  /** Standard deviation of the length's relative error, besides. */
  readonly length: number;
  /** That of the metric scale, relative, besides. */
  readonly scale: number;
}

/** Of one frame against the one before, in the frame before's axes. */
export interface Motion extends MotionUncertainty {
  /** Metres x y z, then axis-angle: pose of this frame in the one before. */
  readonly vector: ArrayLike<number>;
}

/** With the errors of length and scale, 6x6 row-major, in the frame before's axes. */
export function wholeCovariance({ vector: t, covariance, length, scale }: Motion): Float64Array {
  const whole = Float64Array.from(covariance);
  const along = length ** 2 + scale ** 2;
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) whole[6 * i + j] += along * t[i] * t[j];
  return whole;
}

/** A motion as a rate in the later frame's axes: m/s and rad/s with their covariance. */
export function rateOf(
  motion: Motion,
  seconds: number,
): { readonly rate: Float64Array; readonly covariance: Float64Array } {
  const { rotation: r } = fromVector6(motion.vector);
  const into = new Float64Array(36);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) into[6 * i + j] = into[6 * (i + 3) + j + 3] = r[3 * j + i] / seconds;
  const rate = new Float64Array(6);
  for (let i = 0; i < 6; i++) for (let j = 0; j < 6; j++) rate[i] += into[6 * i + j] * motion.vector[j];
  return { rate, covariance: congruent(into, wholeCovariance(motion)) };
}

export interface OdometryOptions {
  /** Seconds for which the last twist is gone on with where the motion is not known; after that the vehicle is taken to stand. */
  readonly bridged: number;
  /** Standard deviations of the pose at the start, metres and radians: none is known exactly. */
  readonly startSpread: { readonly translation: number; readonly rotation: number };
  /** What an unknown motion may deviate by: m/s and rad/s, standard deviations. */
  readonly unknownSpeed: number;
  readonly unknownTurn: number;
  /** Seconds after which a motion's errors have mostly become others. */
  readonly alikeFor: number;
  /** The same for the metric scale's: what it is measured by, or the scene, is off as long. */
  readonly scaleAlikeFor: number;
}

export const defaultOdometry: OdometryOptions = {
  bridged: 1,
  startSpread: { translation: 0.01, rotation: 0.0003 },
  unknownSpeed: 5,
  unknownTurn: 0.5,
  alikeFor: 0.5,
  scaleAlikeFor: 600,
};

/** Stamps nearer than this, seconds, say nothing of how fast: images that waited come in bursts. */
export const LEAST_SECONDS = 0.005;

/** Errors that are carried along: of the pose (6), of the length (1), of the scale (1), x (6). */
const STATE = 14;
const [LENGTH, SCALE, REST] = [6, 7, 8];

export class Odometry {
  /** Frames whose motion was not known. */
  lost = 0;
  readonly #options: OdometryOptions;
  #pose: Se3 = identity();
  /** STATE x STATE row-major. */
  #state: Float64Array = new Float64Array(STATE * STATE);
  #twist: { rate: Float64Array; covariance: Float64Array } = {
    rate: new Float64Array(6),
    covariance: diagonal(1e6, 1e6),
  };
  /** The last twist that was known. */
  #known: { rate: Float64Array; covariance: Float64Array } = {
    rate: new Float64Array(6),
    covariance: new Float64Array(36),
  };
  #lostFor = 0;

  constructor(options: Partial<OdometryOptions> = {}) {
    this.#options = { ...defaultOdometry, ...options };
    const { translation, rotation } = this.#options.startSpread;
    for (let i = 0; i < 6; i++) this.#state[(STATE + 1) * i] = (i < 3 ? translation : rotation) ** 2;
  }

  /** Of the child in the odometry frame, which is where the child was at the start. */
  get pose(): Se3 {
    return this.#pose;
  }

  /** 6x6 row-major of x y z rotX rotY rotZ, in the odometry frame's axes. */
  get covariance(): Float64Array {
    return Float64Array.from({ length: 36 }, (_, i) => this.#state[STATE * Math.floor(i / 6) + (i % 6)]);
  }

  /** m/s and rad/s in the child's axes, with their covariance. */
  get twist(): { readonly rate: Float64Array; readonly covariance: Float64Array } {
    return this.#twist;
  }

  /** Whether the last frame's motion was not known. */
  get isLost(): boolean {
    return this.#lostFor > 0;
  }

  /** A motion whose covariance is none (not finite, not positive definite) is not known. @param seconds between the two frames, positive */
  add(motion: Motion, seconds: number): void {
    const lower = lowerTriangle(motion.covariance);
    if (!lower) return this.bridge(seconds);
    this.#lostFor = 0;
    if (seconds >= LEAST_SECONDS) this.#twist = this.#known = rateOf(motion, seconds);
    const kept = Math.exp(-seconds / this.#options.alikeFor);
    this.#pass(LENGTH, motion.length, kept);
    this.#pass(SCALE, motion.scale, Math.exp(-seconds / this.#options.scaleAlikeFor));
    for (let i = REST; i < STATE; i++) this.#pass(i, 1, kept);
    this.#move(motion.vector, lower);
  }

  /**
   * Frames whose motion is not known.
   *
   * @param seconds for which the last twist is gone on with, within `bridged` in all
   * @param unsure for which the vehicle may have done something else, where that is longer: a clock was set
   */
  bridge(seconds: number, unsure = seconds): void {
    const { bridged, unknownSpeed, unknownTurn } = this.#options;
    this.lost++;
    const going = Math.max(0, Math.min(seconds, bridged - this.#lostFor));
    this.#lostFor += unsure;
    const { rate: known } = this.#known;
    const stands = this.#lostFor > bridged;
    const rate = stands ? new Float64Array(6) : known;
    // It may as well have gone on as it did.
    const [speed, turn] = [Math.hypot(known[0], known[1], known[2]), Math.hypot(known[3], known[4], known[5])];
    const covariance = stands
      ? diagonal(unknownSpeed ** 2 + speed ** 2, unknownTurn ** 2 + turn ** 2)
      : diagonal(unknownSpeed ** 2, unknownTurn ** 2);
    this.#known.covariance.forEach((value, i) => (covariance[i] += value));
    this.#twist = { rate, covariance };
    // Deviations of one frame and the next are the same ones: the spread grows with the time, not with its root.
    const spread = this.#lostFor ** 2 - (this.#lostFor - unsure) ** 2;
    const { rotation } = this.#pose;
    this.#move(known.map((value) => value * going));
    const own = congruent(turning(rotation), this.#twist.covariance);
    for (let i = 0; i < 6; i++) for (let j = 0; j < 6; j++) this.#state[STATE * i + j] += spread * own[6 * i + j];
  }

  /** @param lower of the motion's covariance; without it nothing of the motion's error is carried along */
  #move(vector: ArrayLike<number>, lower?: Matrix): void {
    const next = compose(this.#pose, fromVector6(vector));
    const moved = [0, 1, 2].map((i) => next.translation[i] - this.#pose.translation[i]); // R t
    const turned = minusCross(moved[0], moved[1], moved[2]);
    const r = turning(this.#pose.rotation);
    const f = new Float64Array(STATE * STATE);
    for (let i = 0; i < STATE; i++) f[(STATE + 1) * i] = 1;
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) f[STATE * i + 3 + j] = turned[3 * i + j];
    if (lower)
      for (let i = 0; i < 6; i++) {
        if (i < 3) f[STATE * i + LENGTH] = f[STATE * i + SCALE] = moved[i];
        for (let j = 0; j < 6; j++)
          for (let k = 0; k < 6; k++) f[STATE * i + REST + j] += r[6 * i + k] * lower.get(k, j);
      }
    this.#state = congruent(f, this.#state, STATE);
    this.#pose = next;
  }

  /** Time passes for an error that is carried along: it keeps its spread, or takes a new one, and forgets what it was but for `kept`. */
  #pass(i: number, spread: number, kept: number): void {
    const before = Math.sqrt(this.#state[(STATE + 1) * i]);
    const factor = before > 0 ? Math.min(kept, spread / before) : 0;
    for (let j = 0; j < STATE; j++) {
      this.#state[STATE * i + j] *= factor;
      this.#state[STATE * j + i] *= factor;
    }
    this.#state[(STATE + 1) * i] = spread ** 2;
  }
}

/** L of L L'; undefined where there is none. */
function lowerTriangle(covariance: Float64Array): Matrix | undefined {
  if (!covariance.every(Number.isFinite)) return undefined;
  const rows = Array.from({ length: 6 }, (_, i) => [...covariance.subarray(6 * i, 6 * i + 6)]);
  const cholesky = new CholeskyDecomposition(new Matrix(rows));
  return cholesky.isPositiveDefinite() ? cholesky.lowerTriangularMatrix : undefined;
}

/** 6x6 that turns both halves of a motion. */
function turning(r: Float64Array): Float64Array {
  const matrix = new Float64Array(36);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) matrix[6 * i + j] = matrix[6 * (i + 3) + j + 3] = r[3 * i + j];
  return matrix;
}

/** 6x6 with one value for what is moved and one for what is turned. */
function diagonal(linear: number, angular: number): Float64Array {
  const matrix = new Float64Array(36);
  for (let i = 0; i < 6; i++) matrix[7 * i] = i < 3 ? linear : angular;
  return matrix;
}
