/** The numbers of the page: what the nodes say of themselves, as it was said. */
import { latchedQos, qos, type Qos, type RosNode } from '../ros/rclnodejs';
import { checkHeader, stampSeconds } from '../ros/cdr';
import { messageReader } from '../ros/messageDefinitions';
import { warnIgnored, type ThrottledLog } from '../ros/throttledLog';
import { ADAPTATION_STATES } from '../adaptationStatus';
import type { AdaptationStatus, DiagnosticArray } from './received';

/** One status of /diagnostics. */
export interface DiagnosticReport {
  readonly level: number;
  readonly message: string;
  readonly values: Readonly<Record<string, string>>;
  /** Stamp of the array it came in, seconds. */
  readonly stamp: number;
  /** By performance.now(). */
  readonly receivedMs: number;
}

export interface NumbersOptions {
  readonly depthNode: string;
  readonly adaptationNode: string;
  readonly log: ThrottledLog;
  /** depth_node named the model that it runs. */
  readonly onModel: (model: string, sha256: string) => void;
}

/** Said once a second; older than this it is no longer so. */
const STALE_MS = 3500;
/** Parts that both nodes have at most; more are names that somebody makes up. */
const MOST_STATUSES = 50;
/** Of a message; theirs have a few thousand. All the text there is goes to each browser twice a second. */
const MOST_BYTES = 1 << 18;

export class Numbers {
  /** As depth_node names itself on /diagnostics. */
  readonly depthName: string;
  readonly #diagnostics = new Map<string, DiagnosticReport>();
  #adaptation: { readonly status: AdaptationStatus; readonly receivedMs: number } | undefined;

  /** Small messages, once a second: they are listened to whether somebody looks or not, so that the first look has something to see. */
  constructor(node: RosNode, { depthNode, adaptationNode, log, onModel }: NumbersOptions) {
    // As they name themselves there: with the namespace, by the rules for topics.
    const [depthName, adaptationName] = [depthNode, adaptationNode].map((name) => node.resolveTopicName(name));
    const readDiagnostics = messageReader<DiagnosticArray>('diagnostic_msgs/msg/DiagnosticArray');
    const readAdaptation = messageReader<AdaptationStatus>('depthgrad/msg/AdaptationStatus');
    const listen = (type: string, topic: string, quality: Qos, take: (message: Buffer) => void): void => {
      const subscription = node.createSubscription(type, topic, { qos: quality, isRaw: true }, (message) => {
        try {
          if (message.length > MOST_BYTES)
            throw new RangeError(`message has ${message.length} bytes, more than any of these nodes`);
          take(message);
        } catch (error) {
          warnIgnored(log, subscription.topic, error as Error, 'not shown');
        }
      });
    };
    listen('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics', qos('reliable', 10), (message) => {
      const { header, status } = readDiagnostics(message);
      checkHeader({ stamp: header.stamp, frameId: header.frame_id });
      const stamp = stampSeconds(header.stamp);
      for (const { name, level, message: text, values } of status) {
        if (![depthName, adaptationName].some((node) => name.startsWith(`${node}: `))) continue;
        const known = Object.fromEntries(values.map(({ key, value }) => [key, value]));
        if (this.#diagnostics.size >= MOST_STATUSES && !this.#diagnostics.has(name))
          throw new RangeError(`status is of ${name}, beyond the ${MOST_STATUSES} there are`);
        this.#diagnostics.set(name, { level, message: text, values: known, stamp, receivedMs: performance.now() });
        if (name !== `${depthName}: Inference`) continue;
        onModel(`${known.model_name} ${known.model_version}`, known.model_sha256);
      }
    });
    const status = `${adaptationNode}/status`;
    listen('depthgrad/msg/AdaptationStatus', status, latchedQos(), (message) => {
      this.#adaptation = { status: readAdaptation(message), receivedMs: performance.now() };
    });
    this.depthName = depthName;
  }

  /** For the page, as JSON values. What has not been said again for a while is marked as stale. */
  report(): object {
    const now = performance.now();
    const isStale = (receivedMs: number): boolean => now - receivedMs > STALE_MS;
    const diagnostics = [...this.#diagnostics].map(([name, { receivedMs, ...report }]) => ({
      name,
      ...report,
      stale: isStale(receivedMs),
    }));
    const adaptation = this.#adaptation && {
      ...this.#adaptation.status,
      state: ADAPTATION_STATES[this.#adaptation.status.state] ?? `${this.#adaptation.status.state}`,
      stale: isStale(this.#adaptation.receivedMs),
    };
    return { depthName: this.depthName, diagnostics, adaptation };
  }
}

/** JSON of messages: 64-bit integers as numbers, typed arrays as arrays; NaN and the infinities become null. */
export function toJson(value: object): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return Number(part);
    return ArrayBuffer.isView(part) ? Array.from(part as unknown as ArrayLike<unknown>) : part;
  });
}
