/** ~/odometry, and odom -> base on /tf: when it begins and rests, which frames it may be given, and why it is silent. */
import { odometryOfChild } from '../odometry/childFrame';
import type { Odometry } from '../odometry/odometry';
import type { MotionEstimate } from '../odometry/visualOdometry';
import { secondsBetween } from './egoMotionMessage';
import type { Mount } from './mount';
import type { MovedFrame } from './navigation';
import type { NavigationParameters } from './navigationParameters';
import type { CdrWriter, Header } from './ros/cdr';
import { writeOdometry } from './ros/odometryMessage';
import type { Publisher } from './ros/rclnodejs';
import type { ThrottledLog } from './ros/throttledLog';
import { writeTransform } from './ros/transforms';
import type { TransformOwners } from './transformOwners';

/** For so long the vehicle may have done anything when the clock went backwards, or stood. */
const JUMP_SECONDS = 0.5;
/** A pause counts for this at most: a clock that was set is none of years. */
const LONGEST_PAUSE_SECONDS = 60;
/** Nobody has listened for so long: the odometry rests, and with it the network's half that computes the motion. */
const IDLE_MILLISECONDS = 10_000;

export interface OdometryTopicOptions {
  readonly parameters: NavigationParameters;
  readonly publishers: { readonly odometry: Publisher; readonly tf: Publisher | undefined };
  readonly mount: Mount;
  readonly owners: TransformOwners | undefined;
  readonly log: ThrottledLog;
}

export class OdometryTopic {
  readonly #options: OdometryTopicOptions;
  #begun = false;
  /** When somebody last wanted the odometry, by the process's clock. */
  #wantedMs = -Infinity;
  /** The newest frame, and the one up to which the motions are chained; a later one is reached by a bridge. */
  #last: Header | undefined;
  #chained: Header | undefined;
  /** Seconds between two frames, of the newest pair whose stamps make sense. */
  #period = 0;
  /** Why nothing is published; empty where something is. */
  #silence = '';

  constructor(options: OdometryTopicOptions) {
    this.#options = options;
  }

  /** Whether the next frame's motion is needed. */
  get wantsMotion(): boolean {
    const { parameters, publishers } = this.#options;
    const wanted = parameters.publishTf || (parameters.publishOdometry && publishers.odometry.subscriptionCount > 0);
    const now = performance.now();
    if (wanted) this.#wantedMs = now;
    this.#begun = wanted || (this.#begun && now - this.#wantedMs < IDLE_MILLISECONDS);
    return this.#begun;
  }

  /** What is wrong with it; empty where nothing is. */
  get fault(): string {
    const owner = this.#options.owners?.fault ?? '';
    return this.#begun ? this.#silence || owner : '';
  }

  get state(): 'resting: nobody listens' | 'silent' | 'running' {
    if (!this.#begun) return 'resting: nobody listens';
    return this.#silence ? 'silent' : 'running';
  }

  /** Every frame, in order. */
  follow(frame: MovedFrame, estimate: MotionEstimate | undefined, odometry: Odometry, cdr: CdrWriter): void {
    const { header, scale } = frame;
    const { parameters, log } = this.#options;
    const sinceLast = this.#last ? secondsBetween(this.#last.stamp, header.stamp) : 1;
    this.#last = header;
    if (!this.#begun) return;
    // One absurd stamp would have tf2 throw away its history and refuse what comes after: such a frame waits until the next one's stamp follows it.
    if (!(sinceLast > 0 && sinceLast <= LONGEST_PAUSE_SECONDS)) {
      log.warn(
        'odometry stamp',
        `the stamp of a frame is ${sinceLast.toFixed(3)} s after that before: no odometry for it`,
      );
      return;
    }
    this.#period = sinceLast;
    if (this.#chained && this.#chained.frameId !== header.frameId) {
      // Its pose is in the first camera's axes, and where that was against this one's nobody says.
      this.#silence = `it began with images of ${nameOf(this.#chained)}, now they are of ${nameOf(header)}: ~/reset begins it anew`;
      log.warn('odometry frame', `no odometry: ${this.#silence}`);
      return;
    }
    // A way in an unknown unit under the name of metres would stay in the pose for good.
    if (parameters.scaleSource !== 'none' && !scale.known) {
      this.#silence = 'waits for the metric scale';
      return;
    }
    this.#chain(frame, estimate, odometry);
    this.#silence = this.#publish(header, odometry, cdr);
    if (this.#silence) log.warn('odometry silent', `no odometry: ${this.#silence}`);
  }

  /** A frame's motion onto those before; what lies between without a motion is bridged. */
  #chain({ header, previousStamp }: MovedFrame, estimate: MotionEstimate | undefined, odometry: Odometry): void {
    const reached = this.#chained?.stamp;
    this.#chained = header;
    const from = estimate && previousStamp ? previousStamp : header.stamp;
    const passed = reached ? secondsBetween(reached, from) : 0;
    if (passed !== 0) {
      // A clock that went backwards says nothing of how long it was: it is taken for one frame.
      if (passed > 0) odometry.bridge(Math.min(passed, LONGEST_PAUSE_SECONDS));
      else odometry.bridge(Math.min(JUMP_SECONDS, this.#period), JUMP_SECONDS);
      this.#options.log.warn(
        'odometry',
        'the motion of a frame is not known: the odometry goes on with the last one, and its covariance grows',
      );
    }
    if (estimate && previousStamp) odometry.add(estimate, secondsBetween(previousStamp, header.stamp));
  }

  /** @returns why nothing was published; empty where something was */
  #publish(header: Header, odometry: Odometry, cdr: CdrWriter): string {
    const { parameters, publishers, owners } = this.#options;
    const child = parameters.baseFrame || header.frameId;
    if (child === '') return 'images have no frame_id and base_frame is empty: what moves has no name';
    const mount = child === header.frameId ? undefined : this.#options.mount.of(header.frameId);
    if (child !== header.frameId && !mount) {
      return `no transform from ${child} to ${header.frameId} on /tf_static or /tf`;
    }
    const { pose, covariance, rate, rateCovariance } = odometryOfChild(odometry, mount);
    const world = { stamp: header.stamp, frameId: parameters.odomFrame };
    if (publishers.odometry.subscriptionCount > 0 && parameters.publishOdometry) {
      const message = { header: world, child, pose, covariance, rate, rateCovariance };
      publishers.odometry.publish(writeOdometry(cdr.start(), message).take());
    }
    if (publishers.tf) {
      owners?.sent(world, child);
      publishers.tf.publish(writeTransform(cdr.start(), { header: world, child, pose }).take());
    }
    return '';
  }
}

const nameOf = ({ frameId }: Header): string => `frame "${frameId}"`;
