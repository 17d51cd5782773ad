import { CdrWriter } from './ros/cdr';
import { qos, type Publisher, type RosNode } from './ros/rclnodejs';
import type { ThrottledLog } from './ros/throttledLog';

const SECOND_NS = 1_000_000_000n;
/** builtin_interfaces/Time counts seconds in an int32: it ends in 2038. */
const END_NS = 2n ** 31n * SECOND_NS;

/** A bag's time on /clock (rosgraph_msgs/Clock), for nodes with use_sim_time. */
export class BagClock {
  static readonly topic = '/clock';
  readonly #publisher: Publisher;
  readonly #periodMs: number;
  readonly #log: ThrottledLog;
  readonly #cdr = new CdrWriter();
  #timer: NodeJS.Timeout | undefined;

  constructor(node: RosNode, hertz: number, log: ThrottledLog) {
    this.#log = log;
    this.#publisher = node.createPublisher('rosgraph_msgs/msg/Clock', BagClock.topic, { qos: qos('reliable', 1) });
    this.#periodMs = 1000 / hertz;
  }

  /** Publishes what `time` says, nanoseconds since 1970, now and from now on; what is no time in ROS is left out. */
  follow(time: () => bigint): void {
    this.stop();
    const publish = (): void => {
      const now = time();
      if (now < 0n || now >= END_NS) {
        const text = `${BagClock.topic}: no time in ROS is ${now / SECOND_NS} s from 1970, as the bag has it; it is left out`;
        this.#log.warnOnce('beyond /clock', text);
        return;
      }
      const [sec, nanosec] = [Number(now / SECOND_NS), Number(now % SECOND_NS)];
      this.#publisher.publish(this.#cdr.start().time({ sec, nanosec }).take());
    };
    publish();
    this.#timer = setInterval(publish, this.#periodMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
