import { rclnodejs, type RosNode } from './rclnodejs';

/** One ROS parameter: its default gives its type, `integer` says which numbers are whole. */
export interface ParameterSpec {
  readonly value: string | number | boolean;
  readonly text: string;
  readonly integer?: boolean;
  /** Smallest and largest value of a number. */
  readonly range?: readonly [number, number];
  /** The values a string may have. */
  readonly choices?: readonly string[];
  /** Whether it may change while the node runs. Default false. */
  readonly live?: boolean;
}

const TYPE = { boolean: 1, integer: 2, number: 3, string: 4 } as const;

/** A parameter with a value it must not have; the text names it. */
export class ParameterError extends Error {
  override readonly name = 'ParameterError';
}

/** Declares every parameter with its descriptor; throws ParameterError where one was given a value it must not have. */
export function declareParameters(node: RosNode, specs: Readonly<Record<string, ParameterSpec>>): void {
  for (const [name, spec] of Object.entries(specs)) {
    const type = spec.integer ? TYPE.integer : TYPE[typeof spec.value as 'boolean' | 'number' | 'string'];
    const value = spec.integer ? BigInt(spec.value) : spec.value;
    const text = spec.choices ? `${spec.text} One of: ${spec.choices.join(', ')}.` : spec.text;
    const descriptor = describe(name, spec, type, text);
    try {
      node.declareParameter(new rclnodejs.Parameter(name, type, value), descriptor);
    } catch {
      // rclnodejs's own message names neither the type nor the range
      const limits = spec.range ? ` from ${spec.range[0]} to ${spec.range[1]}` : '';
      throw new ParameterError(`parameter ${name}: must be ${typeName(spec)}${limits}`);
    }
    if (spec.choices && !spec.choices.includes(stringParameter(node, name))) {
      throw new ParameterError(
        `parameter ${name}: is "${stringParameter(node, name)}", must be one of ${spec.choices.join(', ')}`,
      );
    }
  }
}

/** With its range in what `ros2 param describe` shows: rclnodejs 2.2.0 checks values against it, and leaves it out of its answer. */
function describe(name: string, { range, integer, live }: ParameterSpec, type: number, text: string): object {
  if (!range) return new rclnodejs.ParameterDescriptor(name, type, text, !live);
  const descriptor = new rclnodejs.ParameterDescriptor(name, type, text, !live, numberRange(range, integer === true));
  const [from, to] = range;
  const shown = integer
    ? { integer_range: [{ from_value: BigInt(from), to_value: BigInt(to), step: 1n }] }
    : { floating_point_range: [{ from_value: from, to_value: to, step: 0 }] };
  const message = descriptor.toMessage();
  descriptor.toMessage = () => ({ ...message, ...shown });
  return descriptor;
}

function typeName(spec: ParameterSpec): string {
  if (spec.integer) return 'an integer';
  return typeof spec.value === 'number' ? 'a double (write 80.0, not 80)' : `a ${typeof spec.value}`;
}

function numberRange([from, to]: readonly [number, number], integer: boolean): object {
  return integer ? new rclnodejs.IntegerRange(BigInt(from), BigInt(to)) : new rclnodejs.FloatingPointRange(from, to, 0);
}

export function stringParameter(node: RosNode, name: string): string {
  return node.getParameter(name).value as string;
}

export function numberParameter(node: RosNode, name: string): number {
  return Number(node.getParameter(name).value);
}

export function booleanParameter(node: RosNode, name: string): boolean {
  return node.getParameter(name).value as boolean;
}
