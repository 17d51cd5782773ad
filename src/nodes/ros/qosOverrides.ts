/** Quality of service from outside: the parameters that rclcpp declares for it, by the same names. */
import {
  declareParameters,
  numberParameter,
  renewDefaults,
  requireRight,
  stringParameter,
  type ParameterSpec,
} from './parameters';
import { BEST_EFFORT, KEEP_LAST, RELIABLE, TRANSIENT_LOCAL, VOLATILE } from './qosPolicies';
import { rclnodejs, type Qos, type RosNode } from './rclnodejs';

/** rmw's numbers by the names of rclcpp's parameters. keep_all is not among them: no queue here is without a bound. */
const CHOICES = {
  history: { keep_last: KEEP_LAST },
  reliability: { reliable: RELIABLE, best_effort: BEST_EFFORT },
  durability: { transient_local: TRANSIENT_LOCAL, volatile: VOLATILE },
} as const;
type Choice = keyof typeof CHOICES;

const DEEPEST = 1000;

/**
 * Declares `qos_overrides.<topic>.<publisher or subscription>.<history, depth, reliability, durability>`, read-only, and gives the quality of service with
 * what was set there at the start; the others follow `qos`. rclnodejs 2.2.0 has this too, with errors that do not name the parameter; deadline, lifespan and lease are not in its QoS.
 *
 * @param topic as it is given to createPublisher or createSubscription
 * @throws ParameterError where one was given a value it must not have
 */
export function overriddenQos(node: RosNode, entity: 'publisher' | 'subscription', topic: string, qos: Qos): Qos {
  const prefix = `qos_overrides.${node.resolveTopicName(topic)}.${entity}`;
  const nameOf = (policy: string): string => `${prefix}.${policy}`;
  const text = (policy: string): string => `Quality of service of this ${entity}: ${policy}.`;
  const choice = (policy: Choice): [string, ParameterSpec] => {
    const choices = Object.keys(CHOICES[policy]);
    const value = choices.find((one) => numberOf(policy, one) === qos[policy]) ?? choices[0];
    return [nameOf(policy), { value, choices, text: text(policy), fixed: true }];
  };
  const depth = { value: qos.depth, integer: true, range: [1, DEEPEST], text: text('depth'), fixed: true } as const;
  const specs: [string, ParameterSpec][] = [
    choice('history'),
    [nameOf('depth'), depth],
    choice('reliability'),
    choice('durability'),
  ];
  const missing = specs.filter(([name]) => !node.hasParameter(name));
  if (missing.length > 0) declareParameters(node, Object.fromEntries(missing));
  renewDefaults(node, Object.fromEntries(specs)); // in a second life of the node they are there, with what held in the first
  for (const [name, spec] of specs) requireRight(spec, node.getParameter(name));
  const chosen = (policy: Choice): number => numberOf(policy, stringParameter(node, nameOf(policy)));
  const depthNow = numberParameter(node, nameOf('depth'));
  return new rclnodejs.QoS(chosen('history'), depthNow, chosen('reliability'), chosen('durability'));
}

function numberOf(policy: Choice, name: string): number {
  return (CHOICES[policy] as Record<string, number>)[name];
}
