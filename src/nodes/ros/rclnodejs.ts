/**
 * The part of rclnodejs this package uses, typed by hand: the library's own types need the `interfaces.d.ts` it generates
 * per machine from the ROS installation, and the package has to compile before (and without) that.
 */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isSectionOf } from './parameterSections';
import { BEST_EFFORT, KEEP_LAST, RELIABLE, TRANSIENT_LOCAL, VOLATILE } from './qosPolicies';
import { ThrottledLog, warnIgnored } from './throttledLog';

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

/** A publisher or subscription on a topic, as far as it is looked at. */
export interface RosParameter {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** Quality of service, by rmw's numbers. */
export interface Qos {
  readonly history: number;
  readonly depth: number;
  readonly reliability: number;
  readonly durability: number;
}

/** A publisher or a subscription somewhere in the ROS graph. */
export interface Endpoint {
  readonly node_name: string;
  readonly node_namespace: string;
  readonly topic_type: string;
  readonly qos_profile: Qos;
}

/** The text says why a change is refused; `after` gives the value that a parameter would have with it, and with those that come together with it. */
export type ParameterCheck = (parameter: RosParameter, after: (name: string) => unknown) => string | undefined;

export interface RosNode {
  name(): string;
  namespace(): string;
  getLogger(): Logger;
  /** The clock in force: wall time, or /clock with use_sim_time. */
  now(): { toMsg(): { sec: number; nanosec: number } };
  spin(timeoutMs?: number): void;
  destroy(): void;
  /** The topic as it is after remapping, with its namespace. */
  resolveTopicName(topic: string): string;
  getPublishersInfoByTopic(topic: string): readonly Endpoint[];
  getSubscriptionsInfoByTopic(topic: string): readonly Endpoint[];
  createPublisher(type: string, topic: string, options?: { qos?: Qos }): Publisher;
  createSubscription(
    type: string,
    topic: string,
    options: { qos?: Qos; isRaw: true },
    callback: (message: Buffer) => void,
  ): Subscription;
  /** The response is what the callback gives; arrays of a request are plain ones. */
  createService<Request extends object, Response extends object>(
    type: string,
    name: string,
    callback: (request: Request) => Promise<Response>,
  ): object;
  destroySubscription(subscription: Subscription): void;
  getTopicNamesAndTypes(): readonly { readonly name: string; readonly types: readonly string[] }[];

  declareParameter(parameter: object, descriptor: object): RosParameter;
  getParameter(name: string): RosParameter;
  hasParameter(name: string): boolean;
  /** Gives a declared parameter, read-only or not, the node's own value; one that was given from outside at the start stays. */
  setOwnValue(parameter: object): void;
  /** Has every change of a parameter that comes from outside checked first. */
  checkParameters(faultOf: ParameterCheck): void;
  /** Remembers what the node has; the answer destroys every publisher, subscription and service that it made since. */
  remember(): () => void;
  addOnSetParametersCallback(callback: (parameters: RosParameter[]) => { successful: boolean; reason: string }): void;
}

interface Rclnodejs {
  init(): Promise<void>;
  shutdown(): void;
  isShutdown(): boolean;
  removeSignalHandlers(): void;
  expandTopicName(topic: string, nodeName: string, nodeNamespace: string): string;
  Node: new (name: string) => RosNode;
  lifecycle: { LifecycleNode: new (name: string) => RosNode };
  QoS: new (history: number, depth: number, reliability: number, durability: number) => Qos;
  Parameter: new (name: string, type: number, value: unknown) => object;
  ParameterDescriptor: new (name: string, type: number, text: string, readOnly: boolean) => { toMessage: () => object };
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

/** Keep-last quality of service; transient local: whoever comes later gets the last messages, too. */
export function qos(reliability: Reliability, depth: number, transientLocal = false): Qos {
  const durability = transientLocal ? TRANSIENT_LOCAL : VOLATILE;
  return new rclnodejs.QoS(KEEP_LAST, depth, reliability === 'reliable' ? RELIABLE : BEST_EFFORT, durability);
}

/** Reliable, and whoever comes later gets the last message too. */
export function latchedQos(): Qos {
  return qos('reliable', 1, true);
}

/** Namespace and name: /front/depth_node. */
export function fullName(node: Pick<RosNode, 'name' | 'namespace'>): string {
  return `${node.namespace().replace(/\/$/, '')}/${node.name()}`;
}

type Overrides = Map<string, RosParameter>;
interface ParameterSection {
  readonly name: string;
  readonly parameters: readonly RosParameter[];
}

const CLOCK_TYPE = 'rosgraph_msgs/msg/Clock';

interface ClockMessage {
  readonly clock: { readonly sec: number; readonly nanosec: number };
}

/** What rclnodejs would take for the time: no message that is stamped by it could be written then. */
function checkClock({ clock: { sec, nanosec } }: ClockMessage): void {
  if (sec < 0) throw new RangeError(`clock.sec is ${sec}, before 1970`);
  if (nanosec >= 1e9) throw new RangeError(`clock.nanosec is ${nanosec}, a second or more`);
}

interface Destroyable {
  isDestroyed(): boolean;
}

interface ServiceInside extends Destroyable {
  readonly serviceName: string;
  _callback: (...parts: unknown[]) => unknown;
}

/** Its callback answers, too: that throws where the client's end is not found within .1 s, as of one that has gone. */
function keepFromThrowing(service: ServiceInside, logger: Logger): void {
  const { serviceName, _callback: callback } = service;
  service._callback = (...parts) => {
    try {
      return callback(...parts);
    } catch (error) {
      logger.error(`${serviceName}: request not answered: ${(error as Error).message}`);
      return undefined;
    }
  };
}

/** What of rclnodejs's nodes is not for users of them. */
interface NodeInside extends Pick<RosNode, 'name' | 'namespace' | 'getLogger' | 'getParameter' | 'resolveTopicName'> {
  readonly context: { readonly handle: object };
  readonly _publishers: readonly Destroyable[];
  readonly _subscriptions: readonly Destroyable[];
  readonly _services: readonly ServiceInside[];
  destroyPublisher(publisher: Destroyable): void;
  destroySubscription(subscription: Destroyable): void;
  destroyService(service: Destroyable): void;
  createService(...given: unknown[]): ServiceInside;
  createSubscription(...given: unknown[]): Destroyable;
  readonly _parameterOverrides: Overrides;
  readonly _timeSource: { readonly _clockSubscription: Destroyable | undefined };
  setParametersAtomically(parameters: readonly RosParameter[]): { successful: boolean; reason: string };
  _setParametersAtomically(parameters: readonly RosParameter[], declaring: boolean): unknown;
}

/**
 * A kind of node that stands what rclnodejs 2.2.0 does not.
 *
 * Its parameters may be addressed by every name that rclcpp and rclpy know, and the section given last wins, as there. rclnodejs reads the sections `/**` and
 * the bare name only, while launch files write `/namespace/name` for a Node with a name: their parameters would be ignored without a word. A bare name
 * (config/camera.yaml) counts in every namespace.
 *
 * A request that a service cannot deal with (`ros2 param describe` of a parameter there is not) or whose client does not take the answer, and a message that
 * a subscription cannot deal with (a /clock before 1970), are lines in the log; with rclnodejs they end the process.
 */
export function robust<Node extends RosNode>(Base: new (name: string) => Node): new (name: string) => Node {
  class RobustNode extends (Base as unknown as new (name: string) => NodeInside) {
    readonly #faults: ParameterCheck[] = [];
    readonly #log = new ThrottledLog(this.getLogger());

    constructor(name: string) {
      super(name);
      // rclnodejs makes those of the lifecycle and ~/get_type_description without createService; a second guard around the others is none too many.
      for (const service of this._services) keepFromThrowing(service, this.getLogger());
    }

    /** rclnodejs calls this in its constructor. */
    protected _getNativeParameterOverrides(): Overrides {
      const overrides: Overrides = new Map();
      for (const section of parameterSections(this.context.handle)) {
        if (section.name !== this.name() && !isSectionOf(section.name, fullName(this))) continue;
        for (const { name, type, value } of section.parameters) {
          overrides.set(name, new rclnodejs.Parameter(name, type, value) as RosParameter);
        }
      }
      return overrides;
    }

    override createService(...given: unknown[]): ServiceInside {
      const service = super.createService(...given);
      keepFromThrowing(service, this.getLogger());
      return service;
    }

    /** rclnodejs calls this for /clock, in its constructor or when use_sim_time is set. */
    override createSubscription(...given: unknown[]): Destroyable {
      const guard = (callback: CallableFunction) => {
        const guarded = (...parts: unknown[]): void => {
          try {
            if (given[0] === CLOCK_TYPE) checkClock(parts[0] as ClockMessage);
            callback(...parts);
          } catch (error) {
            warnIgnored(this.#log, this.resolveTopicName(given[1] as string), error as Error);
          }
        };
        return Object.defineProperty(guarded, 'length', { value: callback.length }); // says whether it wants MessageInfo
      };
      const isCallback = (one: unknown, at: number): boolean => at > 1 && typeof one === 'function'; // first the type, which may be a class
      return super.createSubscription(
        ...given.map((one, at) => (isCallback(one, at) ? guard(one as CallableFunction) : one)),
      );
    }

    checkParameters(faultOf: ParameterCheck): void {
      this.#faults.push(faultOf);
    }

    setOwnValue(parameter: object): void {
      const { name } = parameter as RosParameter;
      if (!this._parameterOverrides.has(name)) this._setParametersAtomically([parameter as RosParameter], true);
    }

    override setParametersAtomically(parameters: readonly RosParameter[]): { successful: boolean; reason: string } {
      // Of a name that is there twice rclnodejs keeps the last value.
      const after = (wanted: string): unknown =>
        (parameters.findLast(({ name }) => name === wanted) ?? this.getParameter(wanted)).value;
      for (const parameter of parameters) {
        for (const faultOf of this.#faults) {
          const reason = faultOf(parameter, after);
          if (reason) return { successful: false, reason };
        }
      }
      return super.setParametersAtomically(parameters);
    }

    remember(): () => void {
      const before = new Set([...this._publishers, ...this._subscriptions, ...this._services]);
      // rclnodejs subscribes to /clock when use_sim_time is set, whenever that is, and would not miss it: its time would stand still.
      const isOurs = (one: Destroyable): boolean => !before.has(one) && one !== this._timeSource._clockSubscription;
      const since = (entities: readonly Destroyable[]): Destroyable[] => entities.filter(isOurs);
      return () => {
        for (const one of since(this._publishers)) this.destroyPublisher(one);
        for (const one of since(this._subscriptions)) this.destroySubscription(one);
        for (const one of since(this._services)) this.destroyService(one);
      };
    }
  }
  return RobustNode as unknown as new (name: string) => Node;
}

/** The addon behind rclnodejs, for what its classes do not offer. */
export interface NativeAddon {
  getParameterOverrides(context: object): readonly ParameterSection[] | undefined;
  triggerLifecycleTransitionById(stateMachine: object, id: number): unknown;
  triggerLifecycleTransitionByLabel(stateMachine: object, label: string): unknown;
  rclTakeRaw(subscription: object): Buffer | undefined;
}

export function nativeAddon(): NativeAddon {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- as in load
  return (require('rclnodejs/lib/native_loader.js') as { default: NativeAddon }).default;
}

/** A subscription nobody is woken for. */
export interface PolledSubscription {
  readonly topic: string;
  readonly publisherCount: number;
  /** The oldest message not yet taken, of those the middleware keeps; undefined where there is none. */
  take(): Buffer | undefined;
  close(): void;
}

/**
 * Subscribes without waking this process: messages stay with the middleware, which keeps the last of them, until they are taken. rclnodejs 2.2.0 copies
 * every message into JavaScript twice whether it is wanted or not; here only what is taken is copied.
 */
export function pollTopic(node: RosNode, type: string, topic: string, quality: Qos): PolledSubscription {
  const subscription = node.createSubscription(type, topic, { qos: quality, isRaw: true }, () => undefined);
  const { handle } = subscription as Subscription & { readonly handle: object };
  const { _subscriptions: waitedFor } = node as unknown as { _subscriptions: Subscription[] };
  waitedFor.splice(waitedFor.indexOf(subscription), 1);
  (node as unknown as { syncHandles(): void }).syncHandles();
  const { rclTakeRaw } = nativeAddon();
  return {
    topic: subscription.topic,
    get publisherCount() {
      return subscription.publisherCount;
    },
    take: () => rclTakeRaw(handle),
    close: () => node.destroySubscription(subscription),
  };
}

/** What the command line and the parameter files say, in the order in which the sections were first named. */
function parameterSections(context: object): readonly ParameterSection[] {
  return nativeAddon().getParameterOverrides(context) ?? [];
}

const RobustNode = robust(rclnodejs.Node);

/** Makes a node; its name and namespace may be remapped by ROS arguments. Call after rclnodejs.init. */
export function createNode(name: string): RosNode {
  return new RobustNode(name);
}
