/**
 * Chooses triplets from the stream by motion, and counts why the other frames are left out. A frame joins the rolling window of three when the
 * picture has changed enough since the window's last one; a frame that cannot be compared with it begins a new window.
 */
import { meanDifference } from '../geometry/statistics';
import type { AdaptationOptions } from './options';
import type { ShrunkFrame, Triplet } from './frame';

export const SKIP_REASONS = ['static', 'dark', 'saturated', 'blurred', 'unrelated', 'gap', 'clock', 'camera'] as const;

/**
 * static: too little motion; dark, saturated, blurred: unusable picture; unrelated: not the same scene as the frame before (bump, cut, noise);
 * gap, clock: the stream was interrupted, its stamps went back; camera: the intrinsics changed. The last four begin a new window.
 */
export type SkipReason = (typeof SKIP_REASONS)[number];

export interface GateResult {
  triplet?: Triplet;
  /** Why the frame is left out; after unrelated, gap, clock and camera it is the first of the next window. */
  skipped?: SkipReason;
}

/** Side of the blocks whose grey means are compared, pixels; as the motion score of prepared drives has it. */
const BLOCK = 4;
/** Grey levels from which a pixel counts as at the sensor's limit. */
const LIMIT = 250;
/** Sharp frames whose median the next ones are measured by. */
const SHARPNESS_MEMORY = 31;
/** Standard deviation of grey below which a picture shows nothing. */
const LEAST_CONTRAST = 4;

interface Measured {
  frame: ShrunkFrame;
  /** Grey means of blocks. */
  blocks: Float32Array;
}

interface Look {
  brightness: number;
  saturated: number;
  contrast: number;
  /** Mean |Laplacian| over the contrast. */
  sharpness: number;
  blocks: Float32Array;
}

function lookAt(image: Uint8Array, height: number, width: number): Look {
  const grey = new Float32Array(height * width);
  let [sum, squares, limit] = [0, 0, 0];
  for (let i = 0, at = 0; i < grey.length; i++, at += 3) {
    const level = 0.299 * image[at] + 0.587 * image[at + 1] + 0.114 * image[at + 2];
    grey[i] = level;
    sum += level;
    squares += level * level;
    if (level >= LIMIT) limit++;
  }
  let edges = 0;
  for (let v = 1; v < height - 1; v++)
    for (let i = v * width + 1; i < v * width + width - 1; i++)
      edges += Math.abs(4 * grey[i] - grey[i - 1] - grey[i + 1] - grey[i - width] - grey[i + width]);
  const mean = sum / grey.length;
  const contrast = Math.sqrt(Math.max(0, squares / grey.length - mean * mean));
  const columns = Math.floor(width / BLOCK);
  const blocks = new Float32Array(columns * Math.floor(height / BLOCK));
  for (let v = 0; v < Math.floor(height / BLOCK) * BLOCK; v++)
    for (let u = 0; u < columns * BLOCK; u++)
      blocks[Math.floor(v / BLOCK) * columns + Math.floor(u / BLOCK)] += grey[v * width + u] / (BLOCK * BLOCK);
  return {
    brightness: mean,
    saturated: limit / grey.length,
    contrast,
    sharpness: edges / grey.length / Math.max(contrast, LEAST_CONTRAST),
    blocks,
  };
}

/** Pearson's correlation; 0 where one of the pictures does not vary. */
export function correlation(a: Float32Array, b: Float32Array): number {
  let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    x += a[i];
    y += b[i];
    xx += a[i] * a[i];
    yy += b[i] * b[i];
    xy += a[i] * b[i];
  }
  const n = a.length;
  const spread = (xx - (x * x) / n) * (yy - (y * y) / n);
  return spread > 1e-6 ? (xy - (x * y) / n) / Math.sqrt(spread) : 0;
}

/** Memory: three frames. */
export class FrameGate {
  accepted = 0;
  readonly skipped: Record<SkipReason, number>;
  #window: Measured[] = [];
  #lastStamp?: number;
  /** Of the last frame that could be used. */
  #lastUsable?: number;
  #sharpness: number[] = [];
  /** Blurred frames without another between them. */
  #blurred = 0;

  constructor(
    private readonly height: number,
    private readonly width: number,
  ) {
    this.skipped = Object.fromEntries(SKIP_REASONS.map((reason) => [reason, 0])) as Record<SkipReason, number>;
  }

  /** @param frame of the gate's size; kept while it is in the window */
  consider(frame: ShrunkFrame, options: AdaptationOptions): GateResult {
    const before = this.#lastStamp;
    this.#lastStamp = frame.stamp;
    const look = lookAt(frame.image, this.height, this.width);
    const unusable = this.#unusable(look, options);
    const broken = before !== undefined && this.#broken(frame, before, options);
    if (broken) this.#window = [];
    this.#blurred = unusable === 'blurred' ? this.#blurred + 1 : 0;
    // A scene of less detail (fog, a wall) would otherwise be blurred for good.
    if (this.#blurred > SHARPNESS_MEMORY) this.#sharpness = [];
    if (unusable) return this.#skip(unusable);
    this.#lastUsable = frame.stamp;
    const measured = { frame, blocks: look.blocks };
    const last = this.#window[this.#window.length - 1];
    if (!last) {
      this.#window = [measured];
      return broken ? this.#skip(broken) : {};
    }
    if (correlation(last.blocks, look.blocks) < options.minCorrelation) {
      this.#window = [measured];
      return this.#skip('unrelated');
    }
    // Only of frames that belong together: after noise everything would be blurred.
    this.#remember(look.sharpness);
    if (meanDifference(last.blocks, look.blocks) < options.minMotion) return this.#skip('static');
    this.#window = [...this.#window, measured].slice(-3);
    if (this.#window.length < 3) return {};
    this.accepted++;
    return { triplet: tripletOf(this.#window.map((one) => one.frame)) };
  }

  #unusable(
    { brightness, saturated, contrast, sharpness }: Look,
    { minBrightness, maxSaturated, minSharpness }: AdaptationOptions,
  ): SkipReason | undefined {
    if (brightness < minBrightness) return 'dark';
    if (saturated > maxSaturated) return 'saturated';
    const recent = [...this.#sharpness].sort((a, b) => a - b);
    const median = recent[recent.length >> 1] ?? 0;
    return contrast < LEAST_CONTRAST || sharpness < minSharpness * median ? 'blurred' : undefined;
  }

  #broken({ stamp, intrinsics }: ShrunkFrame, before: number, options: AdaptationOptions): SkipReason | undefined {
    if (stamp <= before) return 'clock';
    // Frames on both sides of a tunnel are no neighbours either.
    if (stamp - Math.min(before, this.#lastUsable ?? before) > options.maxGap) return 'gap';
    const known = this.#window[0]?.frame.intrinsics;
    const sides = ['fx', 'fy', 'cx', 'cy'] as const;
    return known && sides.some((side) => Math.abs(known[side] - intrinsics[side]) > 1e-3) ? 'camera' : undefined;
  }

  #remember(sharpness: number): void {
    this.#sharpness = [...this.#sharpness, sharpness].slice(-SHARPNESS_MEMORY);
  }

  #skip(reason: SkipReason): GateResult {
    this.skipped[reason]++;
    return { skipped: reason };
  }
}

/** Three neighbouring frames of a window, in their order. */
export function tripletOf(frames: readonly ShrunkFrame[]): Triplet {
  const [previous, target, next] = frames;
  const { speed, stamp, intrinsics } = target;
  return {
    images: [previous.image, target.image, next.image],
    intrinsics,
    stamp,
    motion:
      speed === undefined || !Number.isFinite(speed)
        ? undefined
        : { speed, sincePrevious: stamp - previous.stamp, untilNext: next.stamp - stamp },
  };
}
