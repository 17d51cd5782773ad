/**
 * The way of a camera frame to the learner: image message -> rectified and shrunk to the network's size -> frame gate -> triplet. It runs at the
 * camera's rate beside the learner, whose single steps take longer than a frame.
 */
import { correlation, FrameGate, type SkipReason } from '../adaptation/frameGate';
import type { Triplet } from '../adaptation/frame';
import type { AdaptationOptions } from '../adaptation/options';
import { CameraView, type ShrunkImage, type ViewOptions } from './cameraView';
import { intrinsicsOf } from './lensView';
import { stampSeconds } from './ros/cdr';

/** rejected: no readable image; no_camera_info; frozen: the very same picture as before; upside_down: since the picture was turned by 180 degrees. */
export const STREAM_REASONS = ['rejected', 'no_camera_info', 'frozen', 'upside_down'] as const;
export type FrameFault = SkipReason | (typeof STREAM_REASONS)[number];

/** Every so-manyth pixel and row is looked at to tell a turned picture. */
const COARSE = 4;

const SHOWS_NOTHING: ReadonlySet<SkipReason> = new Set(['dark', 'saturated', 'blurred']);

export interface TripletStreamOptions extends ViewOptions {
  /** m/s at a time in seconds; undefined where nobody knows. */
  readonly speedAt: (stamp: number) => number | undefined;
  readonly options: () => AdaptationOptions;
}

export class TripletStream {
  frames = 0;
  readonly #options: TripletStreamOptions;
  readonly #view: CameraView;
  readonly #gate: FrameGate;
  readonly #faults = new Map<FrameFault, number>();
  #before?: ShrunkImage;
  /** The last picture that showed something, and its stamp. */
  #seen?: { image: Uint8Array; stamp: number };
  /** Stamp of the last picture that showed nothing. */
  #blindUntil = -Infinity;
  #turned = false;
  #jumpsBack = 0;
  #jumped = 0;
  #resolutions = 0;

  constructor(options: TripletStreamOptions) {
    this.#options = options;
    this.#gate = new FrameGate(options.height, options.width);
    this.#view = new CameraView(options);
  }

  get triplets(): number {
    return this.#gate.accepted;
  }

  /** Frames left out since the start. */
  get skipped(): Readonly<Record<FrameFault, number>> {
    const own = STREAM_REASONS.map((reason) => [reason, this.#faults.get(reason) ?? 0]);
    const { skipped } = this.#gate;
    const moved = { ...skipped, static: skipped.static - (this.#faults.get('frozen') ?? 0) };
    return { ...moved, ...Object.fromEntries(own) } as Record<FrameFault, number>;
  }

  /** Changes of the images' size. */
  get resolutions(): number {
    return this.#resolutions;
  }

  /** What was seen before says nothing about the camera any more: it was mounted as it is now. */
  forgetTurn(): void {
    this.#turned = false;
    this.#seen = undefined;
  }

  /** Stamps that were not above the one before. */
  get jumpsBack(): number {
    return this.#jumpsBack;
  }

  /** Seconds by which the stamps went back last. */
  get jumpedBack(): number {
    return this.#jumped;
  }

  /** Takes a sensor_msgs/Image. @returns the triplet that it completes */
  take(message: Buffer): Triplet | undefined {
    return this.#consider(this.#view.take(message));
  }

  /** As `take`, of a sensor_msgs/CompressedImage; one at a time. */
  async takeCompressed(message: Buffer): Promise<Triplet | undefined> {
    return this.#consider(await this.#view.takeCompressed(message));
  }

  #consider(frame: ShrunkImage | undefined): Triplet | undefined {
    this.frames++;
    if (!frame) return this.#skip('rejected');
    const before = this.#before;
    this.#before = frame;
    if (!frame.cameraInfo || frame.lensFault) {
      if (frame.lensFault) this.#warnOfLens(frame.lensFault);
      return this.#skip('no_camera_info');
    }
    const stamp = stampSeconds(frame.header.stamp);
    if (before) {
      const advanced = stamp - stampSeconds(before.header.stamp);
      if (advanced <= 0) {
        this.#jumpsBack++;
        this.#blindUntil = -Infinity;
        this.#jumped = -advanced;
      }
      if (before.width !== frame.width || before.height !== frame.height) this.#resolutions++;
    }
    const { options, speedAt } = this.#options;
    const { image } = frame;
    if (this.#isTurned(image, stamp, options())) return this.#skip('upside_down');
    const shrunk = { image, intrinsics: intrinsicsOf(frame.cameraInfo), stamp, speed: speedAt(stamp) };
    const { triplet, skipped } = this.#gate.consider(shrunk, options());
    if (skipped === 'static' && before && Buffer.compare(before.image, image) === 0) this.#count('frozen');
    if (skipped && SHOWS_NOTHING.has(skipped)) this.#blindUntil = stamp;
    else this.#seen = { image, stamp };
    return triplet;
  }

  /** Whether the picture is upside-down against the way the camera was mounted when the stream began. */
  #isTurned(image: Uint8Array, stamp: number, { minCorrelation, maxGap }: AdaptationOptions): boolean {
    // After a tunnel, night above a lit road is a day's picture turned round.
    if (!this.#turned && this.#seen && this.#blindUntil - this.#seen.stamp > maxGap) this.#seen = undefined;
    if (!this.#seen) return false;
    const now = this.#coarse(image);
    const before = this.#coarse(this.#seen.image);
    const turnedOver =
      correlation(before, now) < minCorrelation && correlation(before.reverse(), now) >= minCorrelation;
    if (turnedOver) this.#turned = !this.#turned;
    // While it is turned the gate sees no picture: the next one is compared with this, whatever it shows.
    if (this.#turned || turnedOver) this.#seen = { image, stamp };
    return this.#turned;
  }

  /** Green of a coarse grid of pixels, whose reverse is the picture turned by 180 degrees. */
  #coarse(image: Uint8Array): Float32Array {
    const { width, height } = this.#options;
    const [columns, rows] = [Math.floor(width / COARSE), Math.floor(height / COARSE)];
    return Float32Array.from({ length: columns * rows }, (_, i) => {
      const v = Math.floor(i / columns) * COARSE + COARSE / 2;
      return image[3 * (v * width + (i % columns) * COARSE + COARSE / 2) + 1];
    });
  }

  /** The photometric losses assume a pinhole. */
  #warnOfLens(fault: string): void {
    const { log, imageTopic } = this.#options;
    log.warnOnce(`lens ${fault.split(' ', 1)[0]}`, `camera_info of ${imageTopic}: nothing is learned: ${fault}`);
  }

  #skip(fault: FrameFault): undefined {
    this.#count(fault);
  }

  #count(fault: FrameFault): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
  }
}
