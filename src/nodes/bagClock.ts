import { CdrWriter } from './ros/cdr';
import { qos, type Publisher, type RosNode } from './ros/rclnodejs';

/** A bag's time on /clock (rosgraph_msgs/Clock), for nodes with use_sim_time. */
export class BagClock {
  static readonly topic = '/clock';
  readonly #publisher: Publisher;
  readonly #periodMs: number;
  readonly #cdr = new CdrWriter();
  #timer: NodeJS.Timeout | undefined;

  constructor(node: RosNode, hertz: number) {
    this.#publisher = node.createPublisher('rosgraph_msgs/msg/Clock', BagClock.topic, { qos: qos('reliable', 1) });
    this.#periodMs = 1000 / hertz;
  }

  /** Publishes what `time` says, nanoseconds since 1970, now and from now on. */
  follow(time: () => bigint): void {
    this.stop();
    const publish = (): void => {
      const now = time();
      const [sec, nanosec] = [Number(now / 1_000_000_000n), Number(now % 1_000_000_000n)];
      this.#publisher.publish(this.#cdr.start().time({ sec, nanosec }).take());
    };
    publish();
    this.#timer = setInterval(publish, this.#periodMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
