import { onnx } from 'onnx-proto';

export const operatorSetVersion = 18;
const irVersion = 8;

const { FLOAT, INT64, UINT8 } = onnx.TensorProto.DataType;
const elementTypes = { float32: FLOAT, uint8: UINT8 } as const;

export type Attributes = Readonly<Record<string, number | readonly number[] | string | { float: number }>>;

/**
 * Writes an ONNX graph node by node. Values are referred to by name; `node` makes up the name of its result unless told.
 *
 * ```ts
 * const graph = new GraphWriter('example');
 * graph.input('x', 'float32', [1, 4]);
 * graph.output(graph.node('Mul', ['x', graph.floats('two', [2], [])], {}, 'y'), [1, 4]);
 * const bytes = graph.finish(new Map([['version', '1']]));
 * ```
 */
export class GraphWriter {
  readonly #name: string;
  readonly #nodes: onnx.INodeProto[] = [];
  readonly #initializers = new Map<string, onnx.ITensorProto>();
  readonly #inputs: onnx.IValueInfoProto[] = [];
  readonly #outputs: onnx.IValueInfoProto[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  /** A number fixes a side, a text names one that is free. */
  input(name: string, type: keyof typeof elementTypes, shape: readonly (number | string)[]): string {
    this.#inputs.push(valueInfo(name, elementTypes[type], shape));
    return name;
  }

  output(name: string, shape: readonly number[]): void {
    this.#outputs.push(valueInfo(name, FLOAT, shape));
  }

  /** Adds a float32 constant; a second one of the same name must be the same constant. */
  floats(name: string, values: ArrayLike<number>, shape: readonly number[]): string {
    const data = values instanceof Float32Array ? values : Float32Array.from(values);
    const size = shape.reduce((product, side) => product * side, 1);
    if (data.length !== size)
      throw new Error(`constant '${name}' has ${data.length} numbers for [${shape.join(', ')}]`);
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return this.#constant(name, { name, dataType: FLOAT, dims: [...shape], rawData });
  }

  /** Adds an int64 constant of one axis. */
  integers(name: string, values: readonly number[]): string {
    const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#constant(name, { name, dataType: INT64, dims: [values.length], rawData });
  }

  /** Adds a node with one result and returns the result's name. An empty input name leaves an optional input out. */
  node(operator: string, inputs: readonly string[], attributes: Attributes = {}, output?: string): string {
    const result = output ?? `${operator.toLowerCase()}_${this.#nodes.length}`;
    this.#nodes.push({
      name: `node_${this.#nodes.length}`,
      opType: operator,
      input: [...inputs],
      output: [result],
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return result;
  }

  /** `value` reshaped. */
  shaped(value: string, shape: readonly number[]): string {
    return this.node('Reshape', [value, this.integers(`shape_${shape.join('_')}`, shape)]);
  }

  /** The whole file: a ModelProto. */
  finish(metadata: ReadonlyMap<string, string>): Uint8Array {
    const model = onnx.ModelProto.create({
      irVersion,
      opsetImport: [{ domain: '', version: operatorSetVersion }],
      producerName: 'depthgrad',
      metadataProps: [...metadata].map(([key, value]) => ({ key, value })),
      graph: {
        name: this.#name,
        node: this.#nodes,
        initializer: [...this.#initializers.values()],
        input: this.#inputs,
        output: this.#outputs,
      },
    });
    return onnx.ModelProto.encode(model).finish();
  }

  #constant(name: string, tensor: onnx.ITensorProto): string {
    const known = this.#initializers.get(name);
    if (known === undefined) this.#initializers.set(name, tensor);
    else if (!Buffer.from(known.rawData!).equals(Buffer.from(tensor.rawData!))) {
      throw new Error(`two different constants are called '${name}'`);
    }
    return name;
  }
}

function valueInfo(name: string, elemType: number, shape: readonly (number | string)[]): onnx.IValueInfoProto {
  const dim = shape.map((side) => (typeof side === 'number' ? { dimValue: side } : { dimParam: side }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

function attribute(name: string, value: Attributes[string]): onnx.IAttributeProto {
  const types = onnx.AttributeProto.AttributeType;
  if (typeof value === 'number') return { name, type: types.INT, i: value };
  if (typeof value === 'string') return { name, type: types.STRING, s: new TextEncoder().encode(value) };
  if ('float' in value) return { name, type: types.FLOAT, f: value.float };
  return { name, type: types.INTS, ints: [...value] };
}
