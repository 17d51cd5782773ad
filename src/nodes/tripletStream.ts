/**
 * The way of a camera frame to the learner: image message -> shrunk to the network's size -> undistorted -> frame gate -> triplet. It runs at the
 * camera's rate beside the learner, whose single steps take longer than a frame.
 */
import { FrameGate, type SkipReason } from '../adaptation/frameGate';
import type { Triplet } from '../adaptation/frame';
import type { AdaptationOptions } from '../adaptation/options';
import { infoOfView, shrinkImages, type InfoOfView, type ShrunkImage, type ViewOptions } from './cameraView';
import { stampSeconds } from './ros/cdr';
import type { CameraInfoMessage } from './ros/messages';
import { UndistortedView } from './undistortedView';
import type { VehicleSpeed } from './vehicleSpeed';

/** rejected: no readable image; no_camera_info; frozen: the very same picture as before; resolution: the first of another size. */
export const STREAM_REASONS = ['rejected', 'no_camera_info', 'frozen', 'resolution'] as const;
export type FrameFault = SkipReason | (typeof STREAM_REASONS)[number];

export interface TripletStreamOptions extends ViewOptions {
  readonly cameraInfo: () => CameraInfoMessage | undefined;
  readonly rectified: boolean;
  readonly speed: VehicleSpeed;
  readonly options: () => AdaptationOptions;
}

export class TripletStream {
  frames = 0;
  readonly #options: TripletStreamOptions;
  readonly #shrink: (message: Buffer) => ShrunkImage | undefined;
  readonly #infoOfView: InfoOfView;
  readonly #gate: FrameGate;
  readonly #faults = new Map<FrameFault, number>();
  #view?: { info: CameraInfoMessage; view: UndistortedView | undefined };
  #before?: ShrunkImage;
  #jumped = 0;

  constructor(options: TripletStreamOptions) {
    this.#options = options;
    this.#gate = new FrameGate(options.height, options.width);
    this.#shrink = shrinkImages({ ...options, onRejected: () => undefined });
    this.#infoOfView = infoOfView(options);
  }

  get triplets(): number {
    return this.#gate.accepted;
  }

  /** Frames left out since the start. */
  get skipped(): Readonly<Record<FrameFault, number>> {
    const own = STREAM_REASONS.map((reason) => [reason, this.#faults.get(reason) ?? 0]);
    return { ...this.#gate.skipped, ...Object.fromEntries(own) } as Record<FrameFault, number>;
  }

  /** Seconds by which the stamps went back last. */
  get jumpedBack(): number {
    return this.#jumped;
  }

  /** Takes an image message. @returns the triplet that it completes */
  take(message: Buffer): Triplet | undefined {
    this.frames++;
    const frame = this.#shrink(message);
    if (!frame) return this.#skip('rejected');
    const before = this.#before;
    this.#before = frame;
    const info = this.#infoOfView(frame);
    const view = info && this.#viewOf(info);
    if (!view) return this.#skip('no_camera_info');
    const stamp = stampSeconds(frame.header.stamp);
    if (before) {
      const advanced = stamp - stampSeconds(before.header.stamp);
      if (advanced <= 0) this.#jumped = -advanced;
      const sameSize = before.width === frame.width && before.height === frame.height;
      if (!sameSize) this.#count('resolution');
      else if (advanced > 0 && Buffer.compare(before.image, frame.image) === 0) return this.#skip('frozen');
    }
    const { options, speed } = this.#options;
    const image = view.apply(frame.image);
    return this.#gate.consider({ image, intrinsics: view.intrinsics, stamp, speed: speed.at(stamp) }, options())
      .triplet;
  }

  #viewOf(info: CameraInfoMessage): UndistortedView | undefined {
    if (this.#view?.info === info) return this.#view.view;
    const { rectified, log, imageTopic } = this.#options;
    try {
      this.#view = { info, view: new UndistortedView(info, rectified) };
    } catch (error) {
      this.#view = { info, view: undefined };
      log.warn('camera_info', `camera_info of ${imageTopic}: nothing is learned: ${(error as Error).message}`);
    }
    return this.#view.view;
  }

  #skip(fault: FrameFault): undefined {
    this.#count(fault);
  }

  #count(fault: FrameFault): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
  }
}
