/**
 * The part of rclnodejs this package uses, typed by hand: the library's own types need the `interfaces.d.ts` it generates
 * per machine from the ROS installation, and the package has to compile before (and without) that.
 */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isSectionOf } from './parameterSections';

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
  /** The response is what the callback gives; arrays of a request are plain ones. */
  createService<Request extends object, Response extends object>(
    type: string,
    name: string,
    callback: (request: Request) => Promise<Response>,
  ): object;
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
  ParameterDescriptor: new (
    name: string,
    type: number,
    text: string,
    readOnly: boolean,
    range?: object,
  ) => { toMessage: () => object };
  IntegerRange: new (from: bigint, to: bigint, step?: bigint) => object;
  FloatingPointRange: new (from: number, to: number, step?: number) => object;
}

export const rclnodejs = load();

/**
 * Loads the library, but only where its addon can be loaded: on a failure rclnodejs 2.2.0 deletes its build and its generated
 * messages and compiles anew, so one start in a shell without ROS 2 would undo the whole set-up.
 */
function load(): Rclnodejs {
  if (!process.env.ROS_DISTRO) {
    throw new Error('ROS 2 is not in this environment: run "source scripts/env.sh" or source your ROS 2 first');
  }
  const addon = join(dirname(require.resolve('rclnodejs/package.json')), 'build', 'Release', 'rclnodejs.node');
  /* eslint-disable @typescript-eslint/no-require-imports -- an import would pull in the generated types */
  if (existsSync(addon)) {
    try {
      require(addon);
    } catch (error) {
      throw new Error(`${addon} does not load; source the ROS 2 it was built for, or run scripts/setup.sh`, {
        cause: error,
      });
    }
  }
  return require('rclnodejs') as Rclnodejs;
  /* eslint-enable @typescript-eslint/no-require-imports */
}

const KEEP_LAST = 1;
const TRANSIENT_LOCAL = 1;
const VOLATILE = 2;

/** Keep-last, volatile quality of service; the numbers are rmw's. */
export function qos(reliability: Reliability, depth: number): object {
  return new rclnodejs.QoS(KEEP_LAST, depth, reliability === 'reliable' ? 1 : 2, VOLATILE);
}

/** Reliable, and whoever comes later gets the last message too. */
export function latchedQos(): object {
  return new rclnodejs.QoS(KEEP_LAST, 1, 1, TRANSIENT_LOCAL);
}

type Overrides = Map<string, RosParameter>;
interface ParameterSection {
  readonly name: string;
  readonly parameters: readonly RosParameter[];
}

/**
 * A node whose parameters may be addressed by every name that rclcpp and rclpy know, and where the section given last wins, as
 * there. rclnodejs 2.2.0 reads the sections `/**` and the bare name only, while launch files write `/namespace/name` for a Node
 * with a name: their parameters would be ignored without a word. A bare name (config/camera.yaml) counts in every namespace.
 */
class FullyNamedNode extends rclnodejs.Node {
  declare protected readonly context: { readonly handle: object };

  /** rclnodejs calls this in its constructor. */
  protected _getNativeParameterOverrides(): Overrides {
    const overrides: Overrides = new Map();
    const fullName = `${this.namespace().replace(/\/$/, '')}/${this.name()}`;
    for (const section of parameterSections(this.context.handle)) {
      if (section.name !== this.name() && !isSectionOf(section.name, fullName)) continue;
      for (const { name, type, value } of section.parameters) {
        overrides.set(name, new rclnodejs.Parameter(name, type, value) as RosParameter);
      }
    }
    return overrides;
  }
}

/** What the command line and the parameter files say, in the order in which the sections were first named. */
function parameterSections(context: object): readonly ParameterSection[] {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- as in load
  const native = require('rclnodejs/lib/native_loader.js') as {
    default: { getParameterOverrides(context: object): readonly ParameterSection[] | undefined };
  };
  return native.default.getParameterOverrides(context) ?? [];
}

/** Makes a node; its name and namespace may be remapped by ROS arguments. Call after rclnodejs.init. */
export function createNode(name: string): RosNode {
  return new FullyNamedNode(name);
}
