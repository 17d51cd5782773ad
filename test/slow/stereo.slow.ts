/** monodepth_lr on the shared stereo recordings: does it find the disparities, and with them the cameras' distance? */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { scaleIntrinsics } from '../../src/geometry/camera';
import { compose, inverse } from '../../src/geometry/se3';
import { warpImage } from '../../src/geometry/warp';
import { openRecording } from '../../src/training/datasets/openRecording';
import { prepare } from '../../src/training/datasets/prepare';
import type { PreparedDrive } from '../../src/training/datasets/prepared';
import { median } from '../../src/geometry/statistics';
import { photometricErrorInto } from '../../src/training/losses/photometricKernel';
import { createNetwork } from '../../src/training/networks';
import type { TrainedNetwork } from '../../src/training/networks/trainedNetwork';
import { Random } from '../../src/training/random';
import { readRecipe, type Recipe, type Stage } from '../../src/training/recipe';
import { overfit } from '../support/overfit';
import { WholeFrames } from '../support/wholeFrames';

const shared = resolve(process.env.DEPTHGRAD_SHARED_DATA ?? join(__dirname, '../../../shared/data'));
let cache: string;
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'depthgrad-stereo-'));
});
afterAll(() => rmSync(cache, { recursive: true, force: true }));

function sharedTest(name: string): jest.It {
  const path = join(shared, name);
  if (!existsSync(path)) console.log(`not measured: no ${path}`);
  return existsSync(path) ? test : test.skip;
}

async function open(name: string): Promise<PreparedDrive> {
  return prepare(await openRecording(join(shared, name)), cache, { width: 480, progress: false });
}

/** The recipe's network after `steps` steps on whole frames. */
function trained(
  source: WholeFrames,
  size: Pick<Stage, 'height' | 'width' | 'batch_size' | 'learning_rate'>,
  steps: number,
): TrainedNetwork {
  const recipe: Recipe = readRecipe('config/recipes/monodepth_lr.yaml');
  const [stage] = recipe.stages;
  const { height, width } = size;
  const network = createNetwork({ ...recipe.network, height, width }, { seed: recipe.seed, images: source });
  overfit(network, source, { ...stage, ...size }, recipe.optimizer, { steps });
  return network;
}

/** Disparity of the left image in widths, [height, width]. */
function disparityOf(network: TrainedNetwork, image: Float32Array, height: number, width: number): Float32Array {
  return tf.tidy(() => tf.exp(network.estimate(tf.tensor4d(image, [1, height, width, 3])).fused).dataSync<'float32'>());
}

sharedTest('middlebury_motorcycle')(
  'Middlebury: the disparities of the pair and the distance of its cameras',
  async () => {
    const size = { height: 128, width: 192 };
    const scene = await open('middlebury_motorcycle');
    const source = new WholeFrames(scene, [0], new Random(1));
    const network = trained(source, { ...size, batch_size: 1, learning_rate: 5e-4 }, 300);
    const { target, depth, intrinsics } = source.of([0], size.height, size.width);
    const disparity = disparityOf(network, target, size.height, size.width);
    const [{ fx }] = intrinsics;
    // In pixels of the pair as it is published, 741 wide; what lies outside the right image cannot be matched.
    const published = 741;
    const errors: number[] = [];
    const baselines: number[] = [];
    depth!.forEach((z, i) => {
      const true_ = (fx * scene.baseline!) / z / size.width;
      if (!(z > 0) || (i % size.width) / size.width < true_) return;
      errors.push(published * Math.abs(disparity[i] - true_));
      baselines.push((disparity[i] * size.width * z) / fx);
    });
    const bad = (pixels: number): number => errors.filter((e) => e > pixels).length / errors.length;
    const [error, baseline] = [median(errors), median(baselines)];
    console.log(
      `Middlebury Motorcycle, ${errors.length} pixels: median disparity error ${error.toFixed(2)} px of ${published}, ` +
        `bad-2 ${bad(2).toFixed(3)}, bad-4 ${bad(4).toFixed(3)}; baseline ${baseline.toFixed(4)} m, known ${scene.baseline}`,
    );
    expect(error).toBeLessThan(2.5);
    expect(Math.abs(baseline / scene.baseline! - 1)).toBeLessThan(0.03);
    network.dispose();
    scene.close();
  },
);

/** Mean photometric error of the frames before warped into `frames` by the poses and the depth times `scale`. */
function temporalError(
  drive: PreparedDrive,
  source: WholeFrames,
  depths: ReadonlyMap<number, Float32Array>,
  scale: number,
  { height, width }: { height: number; width: number },
): number {
  const intrinsics = scaleIntrinsics(drive.intrinsics, width, height);
  let [sum, count] = [0, 0];
  for (const [frame, depth] of depths) {
    const target = source.of([frame], height, width).target;
    const before = source.of([frame - 1], height, width).target;
    const motion = compose(inverse(drive.poses![frame - 1]!), drive.poses![frame]!);
    const scaled = depth.map((z) => z * scale);
    const { image, valid } = warpImage(before, scaled, intrinsics, motion, height, width);
    const error = new Float32Array(height * width);
    photometricErrorInto(image, target, height, width, error);
    for (let v = 1; v < height - 1; v++)
      for (let i = v * width + 1; i < v * width + width - 1; i++) {
        if (!valid[i]) continue;
        sum += error[i];
        count++;
      }
  }
  return sum / count;
}

sharedTest('kitti_odo01_stereo_f000-050')(
  'KITTI 01: on frames it never saw, the poses agree with the depth that the known baseline gives',
  async () => {
    const size = { height: 96, width: 320 };
    const drive = await open('kitti_odo01_stereo_f000-050');
    const { train, heldOut } = drive.split();
    const range = ([first, end]: readonly [number, number]): number[] =>
      Array.from({ length: end - first }, (_, i) => first + i);
    const source = new WholeFrames(drive, range(train), new Random(1));
    const network = trained(source, { ...size, batch_size: 2, learning_rate: 5e-4 }, 200);
    const fx = (drive.intrinsics.fx / drive.width) * size.width;
    const depths = new Map(
      range(heldOut).map((frame) => {
        const { target } = source.of([frame], size.height, size.width);
        const disparity = disparityOf(network, target, size.height, size.width);
        return [frame, disparity.map((d) => (fx * drive.baseline!) / (d * size.width))];
      }),
    );
    const scales = Array.from({ length: 15 }, (_, i) => 1.05 ** (i - 7));
    const errors = scales.map((scale) => temporalError(drive, source, depths, scale, size));
    const best = scales[errors.indexOf(Math.min(...errors))];
    const flat = new Map(
      [...depths].map(([frame, depth]) => [frame, new Float32Array(depth.length).fill(median(depth))]),
    );
    const flatError = Math.min(...scales.map((scale) => temporalError(drive, source, flat, scale, size)));
    console.log(
      `KITTI 01, ${depths.size} held-out frames: the poses fit best at ${best.toFixed(3)} times the depth, so the baseline is ` +
        `${(best * drive.baseline!).toFixed(3)} m, known ${drive.baseline}; error ${Math.min(...errors).toFixed(4)}, ` +
        `of a wall at any scale ${flatError.toFixed(4)}; at scale 1 ${errors[7].toFixed(4)}`,
    );
    expect(Math.abs(Math.log(best))).toBeLessThan(Math.log(1.16));
    expect(Math.min(...errors)).toBeLessThan(0.9 * flatError);
    network.dispose();
    drive.close();
  },
);
