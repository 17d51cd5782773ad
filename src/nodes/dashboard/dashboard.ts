/** Browsers on one side, topics on the other: subscribes to what somebody looks at, and hands each browser the newest frame it is ready for. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { DashboardParameters } from '../dashboardParameters';
import { messageReader } from '../ros/messageDefinitions';
import { qos, type RosNode, type Subscription } from '../ros/rclnodejs';
import { warnIgnored, type ThrottledLog } from '../ros/throttledLog';
import { Comparison } from './comparison';
import { Numbers, toJson } from './numbers';
import { PICTURES, PictureCapture, trySubscribing, type PictureName } from './pictureCapture';
import type { EgoMotion, Odometry } from './received';
import { Session } from './session';
import { Trajectory } from './trajectory';
import { FrameCounter, type ViewFrame, type ViewName } from './viewFrame';

const STATE_PERIOD_MS = 500;
const TRAJECTORY_PERIOD_MS = 200;
/** Ego-motions kept while this process gives way to others. */
const MOTION_QUEUE = 50;

export class Dashboard {
  readonly #node: RosNode;
  readonly #parameters: DashboardParameters;
  readonly #log: ThrottledLog;
  readonly #sessions = new Set<Session>();
  readonly #latest = new Map<ViewName, ViewFrame>();
  readonly #counter = new FrameCounter();
  readonly #capture: PictureCapture;
  readonly #comparison = new Comparison();
  readonly #trajectory = new Trajectory();
  readonly #numbers: Numbers;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Of what was made into a frame last. */
  readonly #versions = { trajectory: 0, comparison: 0 };
  #motionSubscriptions: Subscription[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(node: RosNode, parameters: DashboardParameters, log: ThrottledLog) {
    this.#node = node;
    this.#parameters = parameters;
    this.#log = log;
    this.#capture = new PictureCapture(node, parameters, log);
    const { depthNode, adaptationNode } = parameters;
    const onModel = (model: string, sha256: string): void => this.#comparison.running(model, sha256);
    this.#numbers = new Numbers(node, { depthNode, adaptationNode, log, onModel });
    this.#timers.push(setInterval(() => this.#tellNumbers(), STATE_PERIOD_MS));
    this.#timers.push(setInterval(() => this.#offerPaths(), TRAJECTORY_PERIOD_MS));
  }

  /** A browser, until it goes. */
  connect(socket: WebSocket): void {
    const session = new Session(
      socket,
      () => this.#look(),
      () => {
        this.#sessions.delete(session);
        this.#look();
      },
    );
    this.#sessions.add(session);
    session.tell(this.#state());
  }

  /** Takes and hands out pictures until it is closed. */
  async run(): Promise<void> {
    while (!this.#isClosed) {
      const started = performance.now();
      const due = PICTURES.filter((view) => this.#isAwaited(view));
      if (due.length === 0) await this.#untilReady();
      else {
        await this.#showPictures(due);
        await sleep(Math.max(1, 1000 / this.#parameters.maxRate - (performance.now() - started)));
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#wake?.();
  }

  async #showPictures(due: readonly PictureName[]): Promise<void> {
    const pictures = await this.#capture.take(due);
    const depth = pictures.get('depth');
    if (depth) this.#comparison.show({ depth, camera: pictures.get('camera') });
    for (const [view, { header, payload }] of pictures) this.#offer(this.#counter.frame(view, header, payload));
  }

  #offer(frame: ViewFrame): void {
    this.#latest.set(frame.view, frame);
    for (const session of this.#sessions) session.offer(frame);
  }

  /** What somebody looks at, or is ready for, has changed. */
  #look(): void {
    const wanted = new Set([...this.#sessions].flatMap((session) => [...session.wanted]));
    this.#capture.follow(wanted);
    this.#followMotion(wanted.has('trajectory'));
    for (const view of PICTURES) if (!wanted.has(view)) this.#latest.delete(view); // it would be shown as if it were new
    for (const frame of this.#latest.values()) for (const session of this.#sessions) session.offer(frame);
    this.#wake?.();
  }

  #isAwaited(view: ViewName): boolean {
    return [...this.#sessions].some((session) => session.isReady(view));
  }

  #untilReady(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  /** depth_node estimates motion only where somebody listens, which takes a third of its run; so the path begins when somebody looks. */
  #followMotion(wanted: boolean): void {
    if (wanted === this.#motionSubscriptions.length > 0) return;
    if (!wanted) {
      for (const subscription of this.#motionSubscriptions) this.#node.destroySubscription(subscription);
      this.#motionSubscriptions = [];
      this.#trajectory.interrupt();
      return;
    }
    const listen = <Message>(type: string, name: string, take: (message: Message) => void): void => {
      const read = messageReader<Message>(type);
      const options = { qos: qos('best_effort', MOTION_QUEUE), isRaw: true } as const;
      const topic = `${this.#parameters.depthNode}/${name}`;
      trySubscribing(this.#log, name, () => {
        const subscription = this.#node.createSubscription(type, topic, options, (message) => {
          try {
            take(read(message));
          } catch (error) {
            warnIgnored(this.#log, subscription.topic, error as Error, 'not shown');
          }
        });
        this.#motionSubscriptions.push(subscription);
      });
    };
    listen<EgoMotion>('depthgrad/msg/EgoMotion', 'ego_motion', (motion) => this.#trajectory.takeEgoMotion(motion));
    listen<Odometry>('nav_msgs/msg/Odometry', 'odometry', (odometry) => this.#trajectory.takeOdometry(odometry));
  }

  #offerPaths(): void {
    const trajectory = this.#trajectory;
    if (trajectory.version !== this.#versions.trajectory && this.#isAwaited('trajectory')) {
      this.#versions.trajectory = trajectory.version;
      const { source, frameId, isMetric, length } = trajectory;
      this.#offer(this.#counter.frame('trajectory', { source, frameId, isMetric, length }, trajectory.points()));
    }
    if (this.#comparison.version !== this.#versions.comparison) {
      this.#versions.comparison = this.#comparison.version;
      const { header, payload } = this.#comparison.pack();
      this.#offer(this.#counter.frame('comparison', header, payload));
    }
  }

  #tellNumbers(): void {
    if (this.#sessions.size === 0) return;
    const state = this.#state();
    for (const session of this.#sessions) session.tell(state);
  }

  #state(): string {
    const { depthNode, adaptationNode, maxRate } = this.#parameters;
    return toJson({
      depthNode: this.#node.resolveTopicName(depthNode),
      adaptationNode,
      maxRate,
      browsers: this.#sessions.size,
      topics: this.#capture.topics(),
      speed: this.#trajectory.speed,
      ...this.#numbers.report(),
    });
  }
}
