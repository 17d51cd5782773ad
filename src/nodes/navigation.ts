/** A frame's way on from its maps and ego-motion: metric scale, odometry, tf. */
import type { Intrinsics } from '../geometry/camera';
import type { Scale } from '../odometry/scaleFilter';
import { VisualOdometry, type MotionEstimate } from '../odometry/visualOdometry';
import { secondsBetween } from './egoMotionMessage';
import { OdometryTopic, type OdometryTopicOptions } from './odometryTopic';
import { stampSeconds, type CdrWriter, type Header, type Time } from './ros/cdr';
import type { DiagnosticStatus } from './ros/messages';
import type { OwnEnd } from './ros/topicFaults';
import { ScaleFollower, type ScaleEvidence } from './scaleFollower';
import type { VehicleSpeed } from './vehicleSpeed';

/** A clock that jumps makes no scale older than this. */
const LONGEST_PAUSE_SECONDS = 60;
/** Relative standard deviations of the scale: from which it is said, and from which points, which have no field for it, wait. */
const UNSURE = 0.3;
const TOO_UNSURE = 0.5;

export interface NavigatorOptions extends OdometryTopicOptions {
  readonly speed: VehicleSpeed | undefined;
  /** Whether ~/points go out. */
  readonly givesPoints: () => boolean;
}

/** A frame as it was published. */
export interface SeenFrame {
  readonly header: Header;
  /** In metres by `scale`; not finite where it is invalid. */
  readonly depth: Float32Array;
  readonly intrinsics: Intrinsics | undefined;
  readonly scale: Scale;
  /** Of the camera above the ground, in the model's unit; undefined where none is looked for or seen. */
  readonly groundHeight: number | undefined;
}

export interface MovedFrame extends SeenFrame {
  /** Translation in metres by the frame's `scale`, then axis-angle; undefined where the motion is not known. */
  readonly vector: ArrayLike<number> | undefined;
  readonly previousStamp: Time | undefined;
}

export class Navigator {
  readonly #options: NavigatorOptions;
  readonly #follower: ScaleFollower;
  #visual = new VisualOdometry();
  #topic: OdometryTopic;
  #last: Header | undefined;

  constructor(options: NavigatorOptions) {
    this.#options = options;
    this.#follower = new ScaleFollower(options.parameters, options.speed);
    this.#topic = new OdometryTopic(options);
  }

  /** The odometry begins anew where the camera is; what is known of the scale stays. */
  reset(): void {
    this.#visual = new VisualOdometry();
    this.#topic = new OdometryTopic(this.#options);
    this.#last = undefined;
    this.#options.mount.forget();
  }

  /** Where speeds come from. */
  get subscriptions(): readonly OwnEnd[] {
    return this.#options.speed?.subscriptions ?? [];
  }

  /** Of a frame by the model with this sha256. */
  scaleOf(model: string): Scale {
    this.#follower.useModel(model);
    return this.#follower.scale;
  }

  /** Whether the next frame's motion is needed here. */
  get wantsMotion(): boolean {
    return this.#topic.wantsMotion || this.#follower.needsMotion;
  }

  /** Whether the next frame's ground is needed here. */
  get wantsGround(): boolean {
    return this.#follower.needsGround;
  }

  /** Whether a frame of this scale is in metres, or in the model's unit as wanted: what takes metres must not be given anything else. */
  isMeasured(scale: Scale): boolean {
    return this.#options.parameters.scaleSource === 'none' || (scale.known && spreadOf(scale) < TOO_UNSURE);
  }

  /** Every frame of the network, before what is known of its motion. @param image uint8 rgb of the map's size; copied */
  see(image: Uint8Array, height: number, width: number): void {
    this.#visual.see(image, height, width);
  }

  /** @returns how the frame moved, with its covariance; undefined where that is not known */
  move(frame: MovedFrame, cdr: CdrWriter): MotionEstimate | undefined {
    const estimate = this.#estimate(frame);
    this.#followScale(frame, estimate);
    this.#topic.follow(frame, estimate, this.#visual.odometry, cdr);
    return estimate;
  }

  #estimate({ vector, intrinsics, depth, scale }: MovedFrame): MotionEstimate | undefined {
    if (!vector || !intrinsics) return undefined;
    return this.#visual.estimate({ depth, vector, intrinsics, scale });
  }

  #followScale(frame: MovedFrame, estimate: MotionEstimate | undefined): void {
    const { header, intrinsics, scale, groundHeight, previousStamp } = frame;
    const sinceLast = this.#last ? secondsBetween(this.#last.stamp, header.stamp) : 0;
    this.#last = header;
    if (!intrinsics) return;
    const seconds = previousStamp ? secondsBetween(previousStamp, header.stamp) : 0;
    this.#follower.add({
      stamp: stampSeconds(header.stamp) - seconds / 2,
      seconds: Math.min(LONGEST_PAUSE_SECONDS, Math.max(0, sinceLast)),
      way: estimate && wayOf(estimate.vector, scale, seconds),
      // Looked up for speeds alone: whoever asks first settles the mount, which else is the odometry as it begins.
      lever: this.#follower.needsMotion ? this.#options.mount.of(header.frameId)?.translation : undefined,
      groundHeight,
    });
  }

  #faultsOf(scale: Scale): string[] {
    if (this.#options.parameters.scaleSource === 'none')
      return this.#isTakenForMetres
        ? ["~/odometry, tf and ~/points are in the model's unit, not in metres: set scale_source"]
        : [];
    if (!scale.known)
      return [`the metric scale is unknown, ~/points and ~/odometry wait for it: ${this.#whyUnknown()}`];
    if (this.#follower.isOfOtherModel) return ['fixed_scale is of the model before: check it, and set it again'];
    if (spreadOf(scale) < UNSURE) return [];
    const since = `last measured ${this.#follower.sinceMeasured.toFixed(0)} s ago`;
    const percent = `the metric scale is known to ${(100 * spreadOf(scale)).toFixed(0)} % only, ${since}`;
    return [this.isMeasured(scale) ? percent : `${percent}: ~/points wait`];
  }

  /** Whether something goes out that has no field for its unit. */
  get #isTakenForMetres(): boolean {
    const { parameters, publishers, givesPoints } = this.#options;
    const givesOdometry = parameters.publishOdometry && publishers.odometry.subscriptionCount > 0;
    return parameters.publishTf || givesOdometry || givesPoints();
  }

  #whyUnknown(): string {
    const { parameters, speed } = this.#options;
    if (parameters.scaleSource === 'camera_height')
      return 'no ground seen yet (a camera that looks ahead, at most 20 degrees up or down)';
    if (!speed?.received) return 'no speed has come yet';
    return `${speed.received} speeds have come, too few of them at ${parameters.leastSpeed} m/s or more and stamped within ${speed.nearest} s of a frame`;
  }

  /** For /diagnostics. */
  status(): Pick<DiagnosticStatus, 'level' | 'message' | 'values'> {
    const { parameters, speed } = this.#options;
    const scale = this.#follower.scale;
    const { accepted, outliers, restarts } = this.#follower.counts;
    const { odometry } = this.#visual;
    const isLost = this.#topic.state === 'running' && odometry.isLost;
    const fault = this.#topic.fault;
    const problems = [
      ...this.#faultsOf(scale),
      ...(isLost ? ['the odometry is lost: it goes on by its last motion'] : []),
      ...(fault ? [`odometry: ${fault}`] : []),
    ];
    return {
      level: problems.length > 0 ? 1 : 0,
      message:
        problems.join('; ') ||
        (parameters.scaleSource === 'none' ? 'no metric scale wanted' : `1 unit is ${scale.scale.toFixed(3)} m`),
      values: {
        scale_source: parameters.scaleSource,
        scale: scale.scale.toFixed(4),
        scale_sd: scale.known ? Math.sqrt(scale.variance).toFixed(4) : 'unknown',
        scale_measurements: `${accepted}`,
        scale_outliers: `${outliers}`,
        scale_restarts: `${restarts}`,
        ...(speed && { speeds_received: `${speed.received}` }),
        odometry: isLost ? 'lost' : this.#topic.state,
        odometry_lost_frames: `${odometry.lost}`,
      },
    };
  }
}

/** Of a motion in metres by this scale, in the model's unit. */
function wayOf(v: ArrayLike<number>, { scale }: Scale, seconds: number): ScaleEvidence['way'] {
  return { length: Math.hypot(v[0], v[1], v[2]) / scale, angle: Math.hypot(v[3], v[4], v[5]), seconds };
}

/** Relative standard deviation. */
const spreadOf = ({ scale, variance }: Scale): number => Math.sqrt(variance) / scale;
