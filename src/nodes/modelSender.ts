import { Observable, Subject } from 'rxjs';
import type { ModelUpdate } from '../inference/modelUpdate';
import { CdrWriter, LAST_SECOND, type Time } from './ros/cdr';
import { readModelAck, writeModelUpdate, type ModelAnswer } from './ros/modelMessages';
import { latchedQos, type Publisher, type RosNode } from './ros/rclnodejs';
import { ThrottledLog, warnIgnored } from './ros/throttledLog';

/**
 * The other end of a depth_node's ~/model_update: publishes updates and hears the answers. A depth_node that starts later gets the last update, as long
 * as this process lives; so updates are best made from the factory model, which every depth_node has.
 *
 * ```ts
 * const sender = new ModelSender(node, '/depth_node');
 * sender.acks$.subscribe(({ accepted, reason, updateStamp }) => ...);
 * const stamp = sender.send(packModelUpdate({ bytes, parent: factory, version: 1, privateKey }));
 * ```
 */
export class ModelSender {
  /** Answers to this and to other senders, the last one before the start included. */
  readonly acks$: Observable<ModelAnswer>;
  readonly #updates: Publisher;

  /** @param depthNode full name of the receiving node, `/depth_node` */
  constructor(node: RosNode, depthNode: string) {
    const acks$ = new Subject<ModelAnswer>();
    this.acks$ = acks$;
    const log = new ThrottledLog(node.getLogger());
    const receive = (message: Buffer): void => {
      let answer: ModelAnswer;
      try {
        answer = readModelAck(message);
      } catch (error) {
        return warnIgnored(log, `${depthNode}/model_ack`, error as Error);
      }
      acks$.next(answer);
    };
    node.createSubscription(
      'depthgrad/msg/ModelAck',
      `${depthNode}/model_ack`,
      { qos: latchedQos(), isRaw: true },
      receive,
    );
    this.#updates = node.createPublisher('depthgrad/msg/ModelUpdate', `${depthNode}/model_update`, {
      qos: latchedQos(),
    });
  }

  get topic(): string {
    return this.#updates.topic;
  }

  /** How many nodes receive. */
  get receivers(): number {
    return this.#updates.subscriptionCount;
  }

  /** Returns the stamp by which its answer is known (`updateStamp`). */
  send(update: ModelUpdate): Time {
    const stamp = wallTime();
    // A writer of its own: kept for the next update, its buffer would hold a model's size for good.
    this.#updates.publish(writeModelUpdate(new CdrWriter().start(), stamp, update).take());
    return stamp;
  }
}

/**
 * Not the node's clock: simulated time stands still, and a stamp has to be one update's alone. So it goes on below the second where seconds end: it is
 * compared with the answer's, and has to be what was written.
 */
function wallTime(): Time {
  const milliseconds = Date.now();
  return { sec: Math.min(Math.floor(milliseconds / 1000), LAST_SECOND), nanosec: (milliseconds % 1000) * 1_000_000 };
}
