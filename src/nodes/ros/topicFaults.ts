/** Why messages that somebody sends, or waits for, never arrive: quality of service and types that do not go together. To users that is an empty topic. */
import { BEST_EFFORT, RELIABLE, TRANSIENT_LOCAL, VOLATILE } from './qosPolicies';
import type { Endpoint, Qos, RosNode } from './rclnodejs';
import type { ThrottledLog } from './throttledLog';

/** One end of a topic that is this node's. */
export interface OwnEnd {
  readonly topic: string;
  readonly type: string;
  readonly qos: Pick<Qos, 'reliability' | 'durability'>;
  /** What comes or goes there: images. */
  readonly what: string;
}

type Graph = Pick<RosNode, 'getPublishersInfoByTopic' | 'getSubscriptionsInfoByTopic'>;

/** Publishers that our subscription cannot hear. */
export function unheardPublishers(graph: Graph, { topic, type, qos, what }: OwnEnd): string[] {
  return graph.getPublishersInfoByTopic(topic).flatMap((other) => {
    const why =
      otherType(type, other, 'publishes') ??
      qosFault(other.qos_profile, qos, (offered, asked) => `offers ${offered}, we ask ${asked}`);
    return why ? [`no ${what} on ${topic}: publisher ${nameOf(other)} ${why}`] : [];
  });
}

/** Subscribers that cannot hear our publisher. */
export function deafSubscribers(graph: Graph, { topic, type, qos, what }: OwnEnd): string[] {
  return graph.getSubscriptionsInfoByTopic(topic).flatMap((other) => {
    const why =
      otherType(type, other, 'waits for') ??
      qosFault(qos, other.qos_profile, (offered, asked) => `asks ${asked}, we offer ${offered}`);
    return why ? [`no ${what} on ${topic} for subscriber ${nameOf(other)}: it ${why}`] : [];
  });
}

/** Looks at a node's topics again and again; each fault is logged when it is seen first, not every time. */
export class TopicWatch {
  readonly #graph: Graph;
  readonly #log: ThrottledLog;
  /** Faults that have been logged and are still there. */
  #named = new Set<string>();

  constructor(graph: Graph, log: ThrottledLog) {
    this.#graph = graph;
    this.#log = log;
  }

  /** @returns the faults there are now */
  look(subscriptions: readonly OwnEnd[], publications: readonly OwnEnd[] = []): string[] {
    const faults = [
      ...subscriptions.flatMap((end) => unheardPublishers(this.#graph, end)),
      ...publications.flatMap((end) => deafSubscribers(this.#graph, end)),
    ];
    for (const fault of faults) if (!this.#named.has(fault)) this.#log.warn(`topic ${fault}`, fault);
    this.#named = new Set(faults);
    return faults;
  }
}

function otherType(type: string, { topic_type: theirs }: Endpoint, verb: string): string | undefined {
  return theirs === type ? undefined : `${verb} ${theirs}, we have ${type}`;
}

/** DDS matches only what offers at least what is asked. */
function qosFault(
  offered: OwnEnd['qos'],
  asked: OwnEnd['qos'],
  say: (offered: string, asked: string) => string,
): string | undefined {
  if (asked.reliability === RELIABLE && offered.reliability === BEST_EFFORT) return say('best effort', 'reliable');
  if (asked.durability === TRANSIENT_LOCAL && offered.durability === VOLATILE)
    return say('volatile', 'transient local');
  return undefined;
}

function nameOf({ node_name: name, node_namespace: namespace }: Endpoint): string {
  return `${namespace.replace(/\/$/, '')}/${name}`;
}
