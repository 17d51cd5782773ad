import { rclnodejs, type RosNode, type RosParameter } from './rclnodejs';

/** One ROS parameter: its default gives its type, `integer` says which numbers are whole. */
export interface ParameterSpec {
  readonly value: string | number | boolean;
  readonly text: string;
  readonly integer?: boolean;
  /** Smallest and largest value of a number. */
  readonly range?: readonly [number, number];
  /** The values a string may have. */
  readonly choices?: readonly string[];
  /** Whether it may change at any time. Default false. */
  readonly live?: boolean;
  /** Never changes after the start, not even where others do while the node is unconfigured. Default false. */
  readonly fixed?: boolean;
}

const TYPE = { boolean: 1, integer: 2, number: 3, string: 4 } as const;

/** A parameter with a value it must not have; the text names it. */
export class ParameterError extends Error {
  override readonly name = 'ParameterError';
}

/**
 * Declares every parameter with its descriptor; throws ParameterError where one was given a value it must not have. Later changes are refused, with the
 * reason, where the value is none or the parameter is not to change now.
 *
 * @param unconfigured of a lifecycle node, whose parameters that are not live may change while it is unconfigured; in other nodes they are read-only
 */
export function declareParameters(
  node: RosNode,
  specs: Readonly<Record<string, ParameterSpec>>,
  unconfigured?: () => boolean,
): void {
  for (const [name, spec] of Object.entries(specs)) {
    const readOnly = spec.fixed === true || !(spec.live || unconfigured);
    let declared: RosParameter;
    try {
      declared = node.declareParameter(defaultOf(name, spec), describe(name, spec, readOnly));
    } catch {
      throw new ParameterError(`parameter ${name}: must be ${rightValue(spec)}`); // rclnodejs's own message does not say
    }
    requireRight(spec, declared);
  }
  node.checkParameters((parameter) => {
    const spec = specs[parameter.name] as ParameterSpec | undefined;
    if (!spec || spec.fixed) return undefined; // rclnodejs says that it is unknown or read-only
    const waits = !spec.live && unconfigured && !unconfigured();
    return waits
      ? `parameter ${parameter.name}: is read when the node is configured; deactivate it and clean it up first`
      : faultOf(spec, parameter);
  });
}

/** Gives parameters that are declared already the values that these specs have now, the fixed ones too; what was given from outside at the start stays. */
export function renewDefaults(node: RosNode, specs: Readonly<Record<string, ParameterSpec>>): void {
  for (const [name, spec] of Object.entries(specs)) {
    const parameter = defaultOf(name, spec);
    if (node.getParameter(name).value !== parameter.value) node.setOwnValue(parameter);
  }
}

function defaultOf(name: string, spec: ParameterSpec): RosParameter {
  const value = spec.integer ? BigInt(spec.value) : spec.value;
  return new rclnodejs.Parameter(name, typeOf(spec), value) as RosParameter;
}

/** Throws ParameterError where it has a value it must not have. */
export function requireRight(spec: ParameterSpec, parameter: RosParameter): void {
  const fault = faultOf(spec, parameter);
  if (fault) throw new ParameterError(fault);
}

/** Why it must not have this value; also where it is to be unset, which would leave the node without one. */
function faultOf(spec: ParameterSpec, { name, type, value }: RosParameter): string | undefined {
  const { choices, range } = spec;
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  const fits = !isNumber || (range ? value >= range[0] && value <= range[1] : !Number.isNaN(value));
  if (type !== typeOf(spec) || !fits) return `parameter ${name}: must be ${rightValue(spec)}`;
  if (!choices || choices.includes(value as string)) return undefined;
  return `parameter ${name}: is "${value as string}", must be one of ${choices.join(', ')}`;
}

function typeOf(spec: ParameterSpec): number {
  return spec.integer ? TYPE.integer : TYPE[typeof spec.value as 'boolean' | 'number' | 'string'];
}

/** With its range for `ros2 param describe`, which rclnodejs 2.2.0 leaves out of its answer. */
function describe(name: string, spec: ParameterSpec, readOnly: boolean): object {
  const { range, integer, choices, text } = spec;
  const described = choices ? `${text} One of: ${choices.join(', ')}.` : text;
  const descriptor = new rclnodejs.ParameterDescriptor(name, typeOf(spec), described, readOnly);
  if (!range) return descriptor;
  const [from, to] = range;
  const shown = integer
    ? { integer_range: [{ from_value: BigInt(from), to_value: BigInt(to), step: 1n }] }
    : { floating_point_range: [{ from_value: from, to_value: to, step: 0 }] };
  const message = descriptor.toMessage();
  descriptor.toMessage = () => ({ ...message, ...shown });
  return descriptor;
}

function rightValue({ value, integer, range, choices }: ParameterSpec): string {
  const limits = range ? ` from ${range[0]} to ${range[1]}` : '';
  if (integer) return `an integer${limits}`;
  if (typeof value === 'number') return `a double (write 80.0, not 80)${limits}`;
  if (typeof value === 'boolean') return 'a boolean';
  const oneOf = choices ? `, one of ${choices.join(', ')}` : '';
  return `a string${oneOf} (what YAML takes for a boolean or a number, such as off or 007, needs quotes: "'off'")`;
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
