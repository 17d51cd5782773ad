/**
 * The part of rclnodejs this package uses, typed by hand: the library's own types need the `interfaces.d.ts` it generates
 * per machine from the ROS installation, and the package has to compile before (and without) that.
 */

export type Reliability = 'reliable' | 'best_effort';

export interface Logger {
  info(message: string): unknown;
  warn(message: string): unknown;
  error(message: string): unknown;
}

export interface Publisher {
  readonly topic: string;
  readonly subscriptionCount: number;
  /** A Buffer is sent as it is: a whole CDR message. */
  publish(message: Buffer): void;
  waitForAllAcked(timeoutNs: bigint): boolean;
}

export interface Subscription {
  readonly topic: string;
  readonly publisherCount: number;
}

export interface RosParameter {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

export interface RosNode {
  name(): string;
  namespace(): string;
  getLogger(): Logger;
  /** The clock in force: wall time, or /clock with use_sim_time. */
  now(): { toMsg(): { sec: number; nanosec: number } };
  spin(timeoutMs?: number): void;
  destroy(): void;
  createPublisher(type: string, topic: string, options?: { qos?: object }): Publisher;
  createSubscription(
    type: string,
    topic: string,
    options: { qos?: object; isRaw: true },
    callback: (message: Buffer) => void,
  ): Subscription;
  destroySubscription(subscription: Subscription): void;
  declareParameter(parameter: object, descriptor: object): RosParameter;
  getParameter(name: string): RosParameter;
  addOnSetParametersCallback(callback: (parameters: RosParameter[]) => { successful: boolean; reason: string }): void;
}

interface Rclnodejs {
  init(): Promise<void>;
  shutdown(): void;
  isShutdown(): boolean;
  removeSignalHandlers(): void;
  expandTopicName(topic: string, nodeName: string, nodeNamespace: string): string;
  Node: new (name: string) => RosNode;
  QoS: new (history: number, depth: number, reliability: number, durability: number) => object;
  Parameter: new (name: string, type: number, value: unknown) => object;
  ParameterDescriptor: new (name: string, type: number, text: string, readOnly: boolean, range?: object) => object;
  IntegerRange: new (from: bigint, to: bigint, step?: bigint) => object;
  FloatingPointRange: new (from: number, to: number, step?: number) => object;
}

// eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would pull in the generated types
export const rclnodejs = require('rclnodejs') as Rclnodejs;

const KEEP_LAST = 1;
const VOLATILE = 2;

/** Keep-last, volatile quality of service; the numbers are rmw's. */
export function qos(reliability: Reliability, depth: number): object {
  return new rclnodejs.QoS(KEEP_LAST, depth, reliability === 'reliable' ? 1 : 2, VOLATILE);
}
