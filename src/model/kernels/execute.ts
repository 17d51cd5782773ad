/** TensorFlow's kernels by name, past tfjs, which knows only some of them. */
import * as tf from '@tensorflow/tfjs-node-gpu';

/** By name; numbers are whole. A list of strings needs the addon as set-up builds it (scripts/setup/tfjs-attributes.patch). */
export type Attributes = Record<string, string | boolean | number | number[] | string[]>;

/** A tensor of TensorFlow's own, as the addon knows it. */
interface Handle {
  id: number;
  shape: number[];
  dtype: number;
}

/** What is used of tfjs-node's backend, which has no public type. */
interface NodeBackend {
  readonly binding: Record<
    'TF_ATTR_TYPE' | 'TF_ATTR_STRING' | 'TF_ATTR_INT' | 'TF_ATTR_BOOL' | 'TF_FLOAT' | 'TF_INT32',
    number
  > & {
    executeOp(kernel: string, attributes: object[], inputs: number[], outputs: number): Handle[];
    createTensor(shape: number[], dtype: number, values: Int32Array): number;
    deleteTensor(id: number): void;
  };
  getInputTensorIds(inputs: tf.TensorInfo[]): number[];
  createOutputTensor(handle: Handle): tf.Tensor;
}

const backend = tf.backend() as unknown as NodeBackend;
const { binding } = backend;
const { TF_ATTR_TYPE, TF_ATTR_STRING, TF_ATTR_INT, TF_ATTR_BOOL, TF_FLOAT, TF_INT32 } = binding;
const typeFloat = { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT };

/** Attributes as the addon wants them; worth keeping for a kernel that runs at every step. */
export class AttributeList {
  readonly list: readonly object[];

  /** @param types attributes that are lists of types, all of them float, by their lengths */
  constructor(attributes: Attributes = {}, types: Record<string, number> = {}) {
    const typeOf = (value: Attributes[string]): number => {
      const one = Array.isArray(value) ? value[0] : value;
      return typeof one === 'string' ? TF_ATTR_STRING : typeof one === 'boolean' ? TF_ATTR_BOOL : TF_ATTR_INT;
    };
    this.list = [
      typeFloat,
      ...Object.entries(attributes).map(([name, value]) => ({ name, type: typeOf(value), value })),
      ...Object.entries(types).map(([name, count]) => ({
        name,
        type: TF_ATTR_TYPE,
        value: Array.from({ length: count }, () => TF_FLOAT),
      })),
    ];
  }
}

const NONE = new AttributeList();

/** Runs the kernel on float tensors. */
export function execute(kernel: string, inputs: tf.TensorInfo[], attributes = NONE): tf.Tensor {
  return backend.createOutputTensor(executeOn(backend.getInputTensorIds(inputs), kernel, attributes));
}

function executeOn(inputs: number[], kernel: string, { list }: AttributeList): Handle {
  return binding.executeOp(kernel, list as object[], inputs, 1)[0];
}

/**
 * Runs a kernel that takes matrices on tensors whose leading axes are made one, and gives its result another shape. Done on TensorFlow's
 * own handles: tfjs would book three tensors more every time.
 */
export function executeOnMatrices(
  kernel: string,
  inputs: tf.TensorInfo[],
  attributes: AttributeList,
  shape: number[],
): tf.Tensor {
  const ids = backend.getInputTensorIds(inputs).map((id, i) => reshaped(id, [-1, inputs[i].shape.at(-1)!]));
  const { id: made } = executeOn(ids, kernel, attributes);
  const id = reshaped(made, shape);
  for (const used of [...ids, made]) binding.deleteTensor(used);
  return backend.createOutputTensor({ id, shape, dtype: TF_FLOAT });
}

const reshapeAttributes = [typeFloat, { name: 'Tshape', type: TF_ATTR_TYPE, value: TF_INT32 }];
const shapes = new Map<string, number>();

function reshaped(id: number, shape: number[]): number {
  const key = shape.join();
  let wanted = shapes.get(key);
  if (wanted === undefined) {
    wanted = binding.createTensor([shape.length], TF_INT32, Int32Array.from(shape));
    shapes.set(key, wanted);
  }
  return binding.executeOp('Reshape', reshapeAttributes, [id, wanted], 1)[0].id;
}
