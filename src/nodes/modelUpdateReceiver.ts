/** depth_node's side of the hand-over: ~/model_update and ~/load_model in, ~/model_ack out, and what /diagnostics says of it. */
import { Subject } from 'rxjs';
import type { ModelHost, UpdateOutcome } from '../inference/modelHost';
import { checkVersion, short, type ModelUpdate } from '../inference/modelUpdate';
import { latestOnly } from './latestOnly';
import { CdrWriter, type Time } from './ros/cdr';
import { isEnding } from './ros/endOnSignal';
import type { DiagnosticStatus } from './ros/messages';
import { readModelUpdate, writeModelAck } from './ros/modelMessages';
import { fullName, latchedQos, type Publisher, type RosNode } from './ros/rclnodejs';
import { oneLine, type ThrottledLog } from './ros/throttledLog';

/** srv/LoadModel.srv; rclnodejs gives a uint64 as a bigint. */
interface LoadModelRequest {
  readonly path: string;
  readonly sha256: string;
  readonly version: bigint | number;
  readonly parent_sha256: string;
  readonly key_id: string;
  readonly signature: ArrayLike<number>;
}

const NO_STAMP: Time = { sec: 0, nanosec: 0 };

type Announced = Pick<ModelUpdate, 'version' | 'sha256'> & { readonly stamp: Time };
const NOTHING: Announced = { version: 0, sha256: '', stamp: NO_STAMP };

function announced(message: Buffer): Announced {
  try {
    return readModelUpdate(message);
  } catch {
    return NOTHING;
  }
}

export class ModelUpdateReceiver {
  readonly #node: RosNode;
  readonly #log: ThrottledLog;
  readonly #acks: Publisher;
  readonly #cdr = new CdrWriter();
  #accepted = 0;
  #refused = 0;
  #swapMilliseconds = 0;
  #lastRefusal = '';
  /** Whether the last update is the one that was refused. */
  #refusedLast = false;
  #closed = false;

  constructor(node: RosNode, log: ThrottledLog) {
    this.#node = node;
    this.#log = log;
    this.#acks = node.createPublisher('depthgrad/msg/ModelAck', '~/model_ack', { qos: latchedQos() });
  }

  /** Takes updates from now on. One is in work at a time; of those that come meanwhile the newest waits. */
  receive(network: ModelHost): void {
    const refuse = (reason: string, { version, sha256, stamp }: Announced = NOTHING): UpdateOutcome => {
      const running = { runningVersion: network.version, runningSha256: network.model.sha256 };
      const outcome = { accepted: false, reason, version, sha256, ...running, swapMilliseconds: 0 };
      this.report(outcome, stamp);
      return outcome;
    };
    const take = async (message: Buffer): Promise<void> => {
      let received: ReturnType<typeof readModelUpdate>;
      try {
        received = readModelUpdate(message);
      } catch (error) {
        refuse(`not a ModelUpdate: ${(error as Error).message}`);
        return;
      }
      const { stamp, ...update } = received;
      this.report(await network.update(update), stamp);
    };
    const drop = (message: Buffer): void => {
      try {
        refuse('a newer update came before this one was looked at', announced(message));
      } catch (error) {
        this.#fail(error);
      }
    };
    const messages$ = new Subject<Buffer>();
    // Neither throws: an error would end the stream, and the update that waits would be lost with it.
    messages$
      .pipe(latestOnly((message) => take(message).catch((error: unknown) => this.#fail(error)), drop))
      .subscribe();
    this.#node.createSubscription(
      'depthgrad/msg/ModelUpdate',
      '~/model_update',
      { qos: latchedQos(), isRaw: true },
      (message) => messages$.next(message),
    );
    this.#node.createService('depthgrad/srv/LoadModel', '~/load_model', async (request: LoadModelRequest) => {
      const { path, sha256, parent_sha256: parentSha256, key_id: keyId } = request;
      const signature = Uint8Array.from(request.signature);
      try {
        checkVersion(request.version);
      } catch (error) {
        return { ack: ackFields(this.#node, refuse((error as Error).message, { ...NOTHING, sha256 })) };
      }
      const wanted = { sha256, version: Number(request.version), parentSha256, keyId, signature };
      const outcome = await network.load(path, wanted);
      this.report(outcome);
      return { ack: ackFields(this.#node, outcome) };
    });
  }

  /** An error of this node's own: the update is lost, the next one is looked at. */
  #fail(error: unknown): void {
    if (!isEnding())
      this.#log.warn('update failed', `~/model_update: update not answered: ${(error as Error).message}`);
  }

  /** Before the topics go: what is in work ends without an answer. */
  close(): void {
    this.#closed = true;
  }

  /** Acknowledges, counts and logs. */
  report(outcome: UpdateOutcome, updateStamp = NO_STAMP): void {
    if (isEnding() || this.#closed) return;
    const { accepted, reason, version, sha256, swapMilliseconds } = outcome;
    this.#refusedLast = !accepted;
    if (accepted) {
      this.#accepted++;
      this.#node
        .getLogger()
        .info(
          `model update ${version} (sha256 ${short(sha256)}) runs; frames waited ${swapMilliseconds.toFixed(1)} ms for it`,
        );
      this.#swapMilliseconds = swapMilliseconds;
    } else {
      this.#refused++;
      this.#lastRefusal = oneLine(`update ${version}: ${reason}`);
      this.#log.warn(`refused ${reason.split(' ', 1)[0]}`, `~/model_update: update ${version} refused: ${reason}`);
    }
    const answer = { ...outcome, updateStamp };
    this.#acks.publish(writeModelAck(this.#cdr.start(), this.#node.now().toMsg(), answer).take());
  }

  /** State for /diagnostics. */
  status(network: ModelHost, hardwareId: string): DiagnosticStatus {
    const { version, sha256 } = network.model;
    return {
      level: this.#refusedLast ? 1 : 0,
      name: `${fullName(this.#node)}: Model`,
      message: this.#refusedLast ? `refused ${this.#lastRefusal}` : `update ${network.version} runs`,
      hardwareId,
      values: {
        model_version: version,
        model_sha256: sha256,
        update_version: `${network.version}`,
        updates_accepted: `${this.#accepted}`,
        updates_refused: `${this.#refused}`,
        last_swap_ms: this.#swapMilliseconds.toFixed(1),
        last_refusal: this.#lastRefusal,
      },
    };
  }
}

function ackFields(node: RosNode, outcome: UpdateOutcome): object {
  return {
    stamp: node.now().toMsg(),
    update_stamp: NO_STAMP,
    accepted: outcome.accepted,
    reason: outcome.reason,
    version: BigInt(outcome.version),
    sha256: outcome.sha256,
    running_version: BigInt(outcome.runningVersion),
    running_sha256: outcome.runningSha256,
    swap_ms: outcome.swapMilliseconds,
  };
}
