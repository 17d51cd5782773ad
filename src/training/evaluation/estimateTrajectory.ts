/** The trajectory a model, or something it must beat, estimates for a recording. */
import { scaleIntrinsics } from '../../geometry/camera';
import type { Se3 } from '../../geometry/se3';
import type { FrameSequence } from '../datasets/dataset';
import type { DatasetPart } from './depthDataset';
import { OnnxModel } from './onnxModel';
import { ShrunkFrames } from './shrunkFrames';
import { chainEgoMotions } from './trajectory';

export interface TrajectoryOptions {
  /** Of the drive (default: all). */
  part?: DatasetPart;
  /** Take every n-th frame (default 1). */
  every?: number;
  threads?: number;
  onFrame?: (done: number, count: number) => void;
}

export interface EstimatedTrajectory {
  /** Of the drive's frames, which were taken. */
  readonly frames: readonly number[];
  /** Camera-to-world, the first one the identity, in units of the depth map. */
  readonly poses: readonly Se3[];
}

/** Which frames of a drive are looked at. @throws Error naming the drive whose frames do not follow each other */
export function chooseFrames(drive: FrameSequence, { part = 'all', every = 1 }: TrajectoryOptions): number[] {
  const [first, end] = part === 'all' ? [0, drive.count] : drive.split()[part];
  const frames: number[] = [];
  for (let index = first; index < end; index += every) frames.push(index);
  if (frames.length < 2) throw new Error(`${drive.name}: a trajectory needs two frames, ${frames.length} can be taken`);
  const broken = frames.find((index) => index + 1 < end && drive.motion[index] < 0);
  if (broken !== undefined)
    throw new Error(
      `${drive.name}: frame ${broken + 1} does not follow frame ${broken} in time: there is no trajectory`,
    );
  return frames;
}

/**
 * Runs an exported model over a drive frame by frame, each with the features of the one before, as depth_node does.
 * @throws Error naming the model or the drive that cannot be used, and the frame whose ego-motion is not finite
 */
export async function estimateTrajectory(
  modelPath: string,
  drive: FrameSequence,
  options: TrajectoryOptions = {},
): Promise<EstimatedTrajectory> {
  const frames = chooseFrames(drive, options);
  const model = await OnnxModel.open(modelPath, options.threads);
  try {
    const { height, width } = model.size;
    const intrinsics = scaleIntrinsics(drive.intrinsics, width, height);
    const shrunk = new ShrunkFrames(drive, height, width);
    const egoMotions: Float32Array[] = [];
    let features = model.emptyFeatures();
    for (const [i, index] of frames.entries()) {
      const outputs = await model.run(shrunk.read(index).bytes, height, width, features, intrinsics);
      features = outputs.features;
      if (i > 0) {
        if (!outputs.egoMotion.every(Number.isFinite))
          throw new Error(
            `${modelPath}: ego-motion at frame ${index} of ${drive.name} is ${outputs.egoMotion.join(' ')}`,
          );
        egoMotions.push(outputs.egoMotion);
      }
      options.onFrame?.(i + 1, frames.length);
    }
    return { frames, poses: chainEgoMotions(egoMotions) };
  } finally {
    await model.close();
  }
}

/** A camera that goes straight ahead at one speed: what a model must beat. */
export function straightAhead(drive: FrameSequence, options: TrajectoryOptions = {}): EstimatedTrajectory {
  const frames = chooseFrames(drive, options);
  return { frames, poses: chainEgoMotions(frames.slice(1).map(() => [0, 0, 1, 0, 0, 0])) };
}
