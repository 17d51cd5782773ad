/** A frame's way on from its maps and ego-motion: metric scale, odometry, tf. */
import type { Intrinsics } from '../geometry/camera';
import type { Se3 } from '../geometry/se3';
import { odometryOfChild } from '../odometry/childFrame';
import type { Scale } from '../odometry/scaleFilter';
import { VisualOdometry, type MotionEstimate } from '../odometry/visualOdometry';
import { secondsBetween } from './egoMotionMessage';
import type { NavigationParameters } from './navigationParameters';
import { stampSeconds, type CdrWriter, type Header, type Time } from './ros/cdr';
import type { DiagnosticStatus } from './ros/messages';
import { writeOdometry } from './ros/odometryMessage';
import type { Publisher } from './ros/rclnodejs';
import type { ThrottledLog } from './ros/throttledLog';
import { writeTransform } from './ros/transforms';
import { ScaleFollower } from './scaleFollower';
import type { VehicleSpeed } from './vehicleSpeed';

/** What a clock that went backwards, or stood, counts for. */
const JUMP_SECONDS = 0.5;
/** A pause counts for this at most: a clock that was set is none of years. */
const LONGEST_PAUSE_SECONDS = 60;

const clamped = (seconds: number): number => Math.min(LONGEST_PAUSE_SECONDS, Math.max(0, seconds));

export interface NavigatorOptions {
  readonly parameters: NavigationParameters;
  readonly publishers: { readonly odometry: Publisher; readonly tf: Publisher | undefined };
  readonly speed: VehicleSpeed | undefined;
  /** Pose of a frame in another; undefined while /tf and /tf_static do not connect them. */
  readonly findTransform: (frame: string, within: string) => Se3 | undefined;
  readonly log: ThrottledLog;
}

/** A frame as it was published. */
export interface SeenFrame {
  readonly header: Header;
  /** In metres by `scale`; not finite where it is invalid. */
  readonly depth: Float32Array;
  readonly intrinsics: Intrinsics | undefined;
  readonly scale: Scale;
}

export interface MovedFrame extends SeenFrame {
  /** Translation in metres by the frame's `scale`, then axis-angle; undefined where the motion is not known. */
  readonly vector: ArrayLike<number> | undefined;
  readonly previousStamp: Time | undefined;
}

export class Navigator {
  readonly #options: NavigatorOptions;
  #visual = new VisualOdometry();
  readonly #follower: ScaleFollower;
  /** Of the frame it belongs to. */
  #mount: { readonly frameId: string; readonly pose: Se3 } | undefined;
  #last: Header | undefined;
  /** Once begun the odometry goes on, whoever listens: a pose that stops and goes on somewhere else is none. */
  #begun = false;

  constructor(options: NavigatorOptions) {
    this.#options = options;
    this.#follower = new ScaleFollower(options.parameters, options.speed);
  }

  /** The odometry begins anew where the camera is; what is known of the scale stays. */
  reset(): void {
    this.#visual = new VisualOdometry();
    this.#mount = undefined;
    this.#last = undefined;
    this.#begun = false;
  }

  /** Of the next frame. */
  get scale(): Scale {
    return this.#follower.scale;
  }

  /** Whether the next frame's motion is needed here. */
  get wantsMotion(): boolean {
    const { parameters, publishers } = this.#options;
    this.#begun ||= parameters.publishTf || (parameters.publishOdometry && publishers.odometry.subscriptionCount > 0);
    return this.#begun || this.#follower.needsMotion;
  }

  /** Every frame of the network, before what is known of its motion. @param image uint8 rgb of the map's size; copied */
  see(image: Uint8Array, height: number, width: number): void {
    this.#visual.see(image, height, width);
  }

  /** @returns how the frame moved, with its covariance; undefined where that is not known */
  move(frame: MovedFrame, cdr: CdrWriter): MotionEstimate | undefined {
    const seconds = frame.previousStamp ? secondsBetween(frame.previousStamp, frame.header.stamp) : 0;
    const estimate = this.#estimate(frame);
    this.#followScale(frame, estimate, seconds);
    if (this.#begun) this.#odometry(frame, estimate, seconds, cdr);
    this.#last = frame.header;
    return estimate;
  }

  #estimate({ vector, intrinsics, depth, scale }: MovedFrame): MotionEstimate | undefined {
    if (!vector || !intrinsics) return undefined;
    return this.#visual.estimate({ depth, vector, intrinsics, scale });
  }

  #followScale(
    { header, depth, intrinsics, scale }: MovedFrame,
    estimate: MotionEstimate | undefined,
    seconds: number,
  ): void {
    if (!intrinsics) return;
    const length = estimate && Math.hypot(...[0, 1, 2].map((i) => estimate.vector[i]));
    this.#follower.add({
      stamp: stampSeconds(header.stamp) - seconds / 2,
      // One stamp of another year would make the scale as good as unknown.
      seconds: this.#last ? clamped(secondsBetween(this.#last.stamp, header.stamp)) : 0,
      way: length ? { length: length / scale.scale, seconds } : undefined,
      depth,
      depthScale: scale.scale,
      intrinsics,
    });
  }

  #odometry({ header }: MovedFrame, estimate: MotionEstimate | undefined, seconds: number, cdr: CdrWriter): void {
    const { parameters, publishers, log } = this.#options;
    const { odometry } = this.#visual;
    if (estimate) odometry.add(estimate, seconds);
    else if (this.#last) {
      const passed = secondsBetween(this.#last.stamp, header.stamp);
      odometry.bridge(passed > 0 ? clamped(passed) : JUMP_SECONDS);
      log.warn(
        'odometry',
        'the motion of a frame is not known: the odometry goes on with the last one, and its covariance grows',
      );
    }
    const child = parameters.baseFrame || header.frameId;
    if (child === '') {
      log.warn('frame', 'images have no frame_id and base_frame is empty: no odometry without the name of what moves');
      return;
    }
    const mount = child === header.frameId ? undefined : this.#mountOf(header.frameId, child);
    if (child !== header.frameId && !mount) {
      log.warn(
        'mount',
        `no transform from ${child} to ${header.frameId} on /tf_static or /tf: no odometry until one comes`,
      );
      return;
    }
    const { pose, covariance, rate, rateCovariance } = odometryOfChild(odometry, mount);
    const world = { stamp: header.stamp, frameId: parameters.odomFrame };
    if (publishers.odometry.subscriptionCount > 0 && parameters.publishOdometry) {
      const message = { header: world, child, pose, covariance, rate, rateCovariance };
      publishers.odometry.publish(writeOdometry(cdr.start(), message).take());
    }
    publishers.tf?.publish(writeTransform(cdr.start(), { header: world, child, pose }).take());
  }

  /** Looked up once for a frame: a camera that turns on its mount would move the base. */
  #mountOf(frameId: string, child: string): Se3 | undefined {
    if (this.#mount?.frameId !== frameId) {
      const pose = this.#options.findTransform(frameId, child);
      this.#mount = pose && { frameId, pose };
    }
    return this.#mount?.pose;
  }

  /** For /diagnostics. */
  status(): Pick<DiagnosticStatus, 'level' | 'message' | 'values'> {
    const { parameters } = this.#options;
    const { scale, variance, known } = this.scale;
    const { accepted, outliers, restarts } = this.#follower.counts;
    const { odometry } = this.#visual;
    const unknown = parameters.scaleSource !== 'none' && !known;
    const missing = { none: '', fixed: '', velocity: 'no usable speed yet', camera_height: 'no ground seen yet' };
    const problems = [
      ...(unknown ? [`the metric scale is unknown: ${missing[parameters.scaleSource]}`] : []),
      ...(this.#begun && odometry.isLost ? ['the odometry is lost: it goes on by its last motion'] : []),
    ];
    return {
      level: problems.length > 0 ? 1 : 0,
      message:
        problems.join('; ') ||
        (parameters.scaleSource === 'none' ? 'no metric scale wanted' : `1 unit is ${scale.toFixed(3)} m`),
      values: {
        scale_source: parameters.scaleSource,
        scale: scale.toFixed(4),
        scale_sd: known ? Math.sqrt(variance).toFixed(4) : 'unknown',
        scale_measurements: `${accepted}`,
        scale_outliers: `${outliers}`,
        scale_restarts: `${restarts}`,
        odometry: this.#begun ? (odometry.isLost ? 'lost' : 'running') : 'not begun: nobody listens',
        odometry_lost_frames: `${odometry.lost}`,
      },
    };
  }
}
