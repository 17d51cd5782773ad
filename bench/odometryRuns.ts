/** A recording through the network and depth_node's odometry, without ROS; and through the five-point peer. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Matrix, solve } from 'ml-matrix';
import { scaleIntrinsics } from '../src/geometry/camera';
import { axisAngleFromRotation, compose, fromVector6, identity, inverse, type Se3 } from '../src/geometry/se3';
import { fitGroundPlane } from '../src/odometry/groundPlane';
import { Odometry, wholeCovariance } from '../src/odometry/odometry';
import type { Scale } from '../src/odometry/scaleFilter';
import { VisualOdometry } from '../src/odometry/visualOdometry';
import type { NavigationParameters } from '../src/nodes/navigationParameters';
import { ScaleFollower } from '../src/nodes/scaleFollower';
import type { VehicleSpeed } from '../src/nodes/vehicleSpeed';
import type { FrameSequence } from '../src/training/datasets/dataset';
import { OnnxModel } from '../src/training/evaluation/onnxModel';
import { ShrunkFrames } from '../src/training/evaluation/shrunkFrames';
import { STRETCH } from './odometryReport';

/** Frames after which another short path begins. */
const STRETCH_EVERY = 5;

export interface Run {
  /** Camera-to-world of every frame, the first one the identity. */
  readonly poses: readonly Se3[];
  readonly scales: readonly Scale[];
  /** Way between the frames, in the model's unit; of the first one 0. */
  readonly ways: readonly number[];
  /** Normalised errors of each motion and pose but the first. */
  readonly motionErrors: readonly number[];
  readonly poseErrors: readonly number[];
  /** Normalised errors of the poses of odometries begun every STRETCH_EVERY frames, over the STRETCH frames after their beginning. */
  readonly stretchErrors: readonly number[];
  /** Frame at which the odometry begins: the scale is known after it. */
  readonly start: number;
  readonly lost: number;
  readonly outliers: number;
  /** Of each frame's odometry. */
  readonly costMs: readonly number[];
}

export type RunScale = Pick<NavigationParameters, 'scaleSource' | 'fixedScale' | 'cameraHeight' | 'leastSpeed'>;

/** @param poses true ones of all frames */
export async function runOdometry(
  modelPath: string,
  drive: FrameSequence,
  poses: readonly Se3[],
  scaleOptions: RunScale,
): Promise<Run> {
  const model = await OnnxModel.open(modelPath, 2);
  const { height, width } = model.size;
  const intrinsics = scaleIntrinsics(drive.intrinsics, width, height);
  const frames = new ShrunkFrames(drive, height, width);
  const stamps = poses.map((_, i) => drive.stamps?.[i] ?? i / drive.framesPerSecond);
  const follower = new ScaleFollower(scaleOptions, speedOf(stamps, poses));
  const visual = new VisualOdometry();
  const { odometry } = visual;
  const run = {
    poses: [identity()],
    scales: [] as Scale[],
    ways: [0],
    motionErrors: [] as number[],
    poseErrors: [] as number[],
    stretchErrors: [] as number[],
    costMs: [] as number[],
  };
  let features = model.emptyFeatures();
  let start = 0;
  let stretches: { readonly from: number; readonly odometry: Odometry }[] = [];
  for (let i = 0; i < poses.length; i++) {
    const { bytes } = frames.read(i);
    const outputs = await model.run(bytes, height, width, features, intrinsics);
    features = outputs.features;
    const { scale } = follower;
    const groundHeight = follower.needsGround ? fitGroundPlane(outputs.depth, intrinsics)?.height : undefined;
    const depth = outputs.depth.map((z) => (scale.scale * z > 80 ? Infinity : scale.scale * z));
    const begin = performance.now();
    visual.see(bytes, height, width);
    run.scales.push(scale);
    if (i === 0) continue;
    const seconds = stamps[i] - stamps[i - 1];
    const vector = outputs.egoMotion.map((value, k) => (k < 3 ? scale.scale * value : value));
    const estimate = visual.estimate({ depth, vector, intrinsics, scale });
    if (!estimate) throw new Error('a frame without a frame before it');
    if (scaleOptions.scaleSource === 'none' || scale.known) odometry.add(estimate, seconds);
    else {
      // As depth_node, which waits for the scale: no path has begun.
      start = i;
      stretches = [];
    }
    run.costMs.push(performance.now() - begin);
    stretches = stretches.filter(({ from }) => i <= from + STRETCH);
    for (const { from, odometry } of stretches) {
      odometry.add(estimate, seconds);
      const moved = compose(inverse(poses[from]), poses[i]);
      run.stretchErrors.push(normalised(odometry.pose, moved, odometry.covariance));
    }
    if ((i - start) % STRETCH_EVERY === 0) stretches.push({ from: i, odometry: new Odometry() });
    const [length, angle] = [0, 3].map((from) => Math.hypot(...outputs.egoMotion.subarray(from, from + 3)));
    follower.add({
      stamp: (stamps[i] + stamps[i - 1]) / 2,
      seconds,
      way: { length, angle, seconds },
      groundHeight,
    });
    run.ways.push(length);
    run.poses.push(odometry.pose);
    const moved = compose(inverse(poses[i - 1]), poses[i]);
    run.motionErrors.push(normalised(fromVector6(vector), moved, wholeCovariance(estimate)));
    run.poseErrors.push(normalised(odometry.pose, compose(inverse(poses[start]), poses[i]), odometry.covariance));
  }
  await model.close();
  return { ...run, start, lost: odometry.lost, outliers: follower.counts.outliers };
}

/** The true speed, as a wheel would give it, which knows of no turn. */
function speedOf(stamps: readonly number[], poses: readonly Se3[]): Pick<VehicleSpeed, 'at'> {
  return {
    at: (stamp) => {
      const i = stamps.findIndex((value) => value > stamp);
      if (i < 1) return undefined;
      const way = Math.hypot(...poses[i].translation.map((value, k) => value - poses[i - 1].translation[k]));
      return { speed: way / (stamps[i] - stamps[i - 1]), turn: undefined };
    },
  };
}

/** e' C^-1 e of an estimate, translation and rotation vector in the axes both are given in. */
function normalised(estimate: Se3, truth: Se3, covariance: Float64Array): number {
  const none = new Float64Array(3);
  const turned = compose({ ...estimate, translation: none }, inverse({ ...truth, translation: none }));
  const error = [
    ...estimate.translation.map((value, k) => value - truth.translation[k]),
    ...axisAngleFromRotation(turned.rotation),
  ];
  const column = Matrix.columnVector(error);
  const matrix = new Matrix(Array.from({ length: 6 }, (_, i) => [...covariance.subarray(6 * i, 6 * i + 6)]));
  return column.transpose().mmul(solve(matrix, column)).get(0, 0);
}

export interface PeerRun {
  readonly poses: readonly Se3[];
  readonly lost: number;
}

/** OpenCV's five-point algorithm, whose steps are given their true lengths; where it finds nothing it goes on as before. */
export async function runPeer(python: string, drive: FrameSequence, truth: readonly Se3[]): Promise<PeerRun> {
  const { width, height, intrinsics } = drive;
  const { fx, fy, cx, cy } = intrinsics;
  const size = [width, height, fx, fy, cx, cy].map(String);
  const peer = spawn(python, [join(__dirname, '../../bench/peers/five_point.py'), ...size], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
  const image = new Uint8Array(width * height * 3);
  const poses = [identity()];
  let motion: Se3 = identity();
  let lost = 0;
  for (let i = 0; i < truth.length; i++) {
    drive.readFrame(i, image);
    const grey = new Uint8Array(width * height);
    for (let k = 0; k < grey.length; k++)
      grey[k] = Math.round(0.299 * image[3 * k] + 0.587 * image[3 * k + 1] + 0.114 * image[3 * k + 2]);
    peer.stdin.write(grey);
    if (i === 0) continue;
    const line = await lines.next();
    if (line.done) throw new Error('the five-point peer ended early');
    const found = JSON.parse(line.value) as { rotation: number[]; translation: number[] } | null;
    if (!found) lost++;
    const length = Math.hypot(...truth[i].translation.map((value, k) => value - truth[i - 1].translation[k]));
    if (found) {
      const translation = Float64Array.from(found.translation, (value) => length * value);
      motion = { rotation: Float64Array.from(found.rotation), translation };
    }
    poses.push(compose(poses[poses.length - 1], motion));
  }
  peer.stdin.end();
  return { poses, lost };
}
