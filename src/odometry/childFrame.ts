/**
 * The camera's odometry as that of the frame it is mounted on (REP 103, 105): pose and twist of the child, with covariances carried through the lever
 * between both (Barfoot, State Estimation for Robotics, 2017, 7.3, to first order).
 */
import { compose, identity, inverse, transformPoint, type Se3 } from '../geometry/se3';
import { congruent, minusCross } from './congruence';

/** Optical axes (x right, y down, z forward) in those of a body (x forward, y left, z up). */
export const OPTICAL_IN_BODY: Se3 = {
  rotation: Float64Array.of(0, 0, 1, -1, 0, 0, 0, -1, 0),
  translation: new Float64Array(3),
};

export interface ChildOdometry {
  /** Of the child in the odometry frame. */
  readonly pose: Se3;
  /** 6x6 row-major of x y z rotX rotY rotZ, in the odometry frame's axes. */
  readonly covariance: Float64Array;
  /** m/s and rad/s of the child's origin, in its axes. */
  readonly rate: Float64Array;
  readonly rateCovariance: Float64Array;
}

export interface CameraOdometry {
  /** Of the camera in the camera's frame at the start. */
  readonly pose: Se3;
  readonly covariance: Float64Array;
  readonly twist: { readonly rate: Float64Array; readonly covariance: Float64Array };
}

/**
 * @param mount pose of the camera's optical frame in the child; undefined where the child is the optical frame itself: the odometry frame then has a
 * body's axes, where the camera was at the start
 */
export function odometryOfChild({ pose, covariance, twist }: CameraOdometry, mount: Se3 | undefined): ChildOdometry {
  const start = mount ?? OPTICAL_IN_BODY;
  const lever = mount ? inverse(mount) : identity();
  // The child's origin from the camera's, in the axes of the camera at the start and of the camera now.
  const { rotation: r } = pose;
  const [x, y, z] = transformPoint({ rotation: r, translation: new Float64Array(3) }, ...xyz(lever.translation));
  const turn = (mount ?? identity()).rotation;
  const rateJacobian = leverJacobian(turn, ...xyz(lever.translation));
  return {
    pose: compose(compose(start, pose), lever),
    covariance: congruent(leverJacobian(start.rotation, x, y, z), covariance),
    rate: apply(rateJacobian, twist.rate),
    rateCovariance: congruent(rateJacobian, twist.covariance),
  };
}

const xyz = (v: Float64Array): [number, number, number] => [v[0], v[1], v[2]];

/** [[R, -R [l]x], [0, R]]: of a point l away that moves and turns along, in other axes. */
function leverJacobian(r: Float64Array, x: number, y: number, z: number): Float64Array {
  const cross = minusCross(x, y, z);
  const jacobian = new Float64Array(36);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) {
      jacobian[6 * i + j] = jacobian[6 * (3 + i) + 3 + j] = r[3 * i + j];
      for (let k = 0; k < 3; k++) jacobian[6 * i + 3 + j] += r[3 * i + k] * cross[3 * k + j];
    }
  return jacobian;
}

function apply(jacobian: Float64Array, vector: Float64Array): Float64Array {
  return vector.map((_, i) => vector.reduce((sum, value, j) => sum + jacobian[6 * i + j] * value, 0));
}
