/** Triplets of the drives a model was trained on: for replay, for judgement, and for measuring at the end. */
import { scaleIntrinsics } from '../geometry/camera';
import { moves } from '../training/batches/drives';
import type { FrameRange, FrameSequence } from '../training/datasets/dataset';
import { ShrunkFrames } from '../training/evaluation/shrunkFrames';
import type { Triplet } from './frame';

/** replayed and judged: from the training part, its last tenth for judgement; held out: the drive's last fifth, which nothing learns from. */
export type SourcePart = 'replayed' | 'judged' | 'held out';

const JUDGED_SHARE = 0.1;
const STRIDES = [1, 2, 3, 4, 5];

export interface TripletSize {
  /** The network's. */
  height: number;
  width: number;
  /** Least motion between neighbours (options.ts). */
  minMotion: number;
}

function rangeOf(drive: FrameSequence, part: SourcePart): FrameRange {
  const { train, heldOut } = drive.split();
  if (part === 'held out') return heldOut;
  const border = train[1] - Math.ceil(JUDGED_SHARE * (train[1] - train[0]));
  return part === 'replayed' ? [train[0], border] : [border, train[1]];
}

/**
 * Up to `count` triplets, evenly spread over the moving targets of all drives.
 *
 * @throws Error when no drive has a moving target in the part
 */
export function sourceTriplets(
  drives: readonly FrameSequence[],
  part: SourcePart,
  count: number,
  { height, width, minMotion }: TripletSize,
): Triplet[] {
  const targets = drives.flatMap((drive) => {
    const [first, end] = rangeOf(drive, part);
    const found: { drive: FrameSequence; index: number; stride: number }[] = [];
    for (let index = first; index < end; index++) {
      const stride = STRIDES.find(
        (by) =>
          index - by >= first && index + by < end && moves(drive, index, by, { minMotion: 0, strideMotion: minMotion }),
      );
      if (stride !== undefined) found.push({ drive, index, stride });
    }
    return found;
  });
  if (targets.length === 0) {
    const names = drives.map(({ name }) => name).join(', ') || 'none';
    throw new Error(
      `source drives (${names}): no moving frames in the ${part} part; give a longer drive, or lower minMotion`,
    );
  }
  const taken = Math.min(count, targets.length);
  const readers = new Map(drives.map((drive) => [drive, new ShrunkFrames(drive, height, width)]));
  return Array.from({ length: taken }, (_, i): Triplet => {
    const { drive, index, stride } = targets[Math.floor(((i + 0.5) * targets.length) / taken)];
    const read = (at: number): Uint8Array => readers.get(drive)!.read(at).bytes;
    const stampAt = (at: number): number => drive.stamps?.[at] ?? at / drive.framesPerSecond;
    const speed = drive.speeds?.[index] ?? NaN;
    const stamp = stampAt(index);
    return {
      images: [read(index - stride), read(index), read(index + stride)],
      intrinsics: scaleIntrinsics(drive.intrinsics, width, height),
      stamp,
      motion: Number.isFinite(speed)
        ? { speed, sincePrevious: stamp - stampAt(index - stride), untilNext: stampAt(index + stride) - stamp }
        : undefined,
    };
  });
}
