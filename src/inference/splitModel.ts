/**
 * One model file as two graphs, so that the depth can leave before the ego-motion is computed: `ego_motion` follows from the outputs
 * `depth` and `features` and the input `previous_features` alone (docs/architecture.md, graph contract).
 */
import { createHash } from 'node:crypto';
import { onnx } from 'onnx-proto';

export interface SplitModel {
  /** ONNX bytes: the model's inputs -> all its outputs but `ego_motion`. */
  readonly depth: Uint8Array;
  /** ONNX bytes: `depth`, `features`, `previous_features` -> `ego_motion`. */
  readonly motion: Uint8Array;
}

const MOTION_OUTPUT = 'ego_motion';
const MOTION_INPUTS: ReadonlySet<string> = new Set(['depth', 'features', 'previous_features']);

/** @returns undefined where `ego_motion` reads anything else: then the graph has to run as a whole */
export function splitModel(model: onnx.ModelProto): SplitModel | undefined {
  const { graph } = model;
  if (!graph?.node || !graph.output || !graph.input) return undefined;
  const inputs = new Set(graph.input.map(({ name }) => name));
  const depthOutputs = graph.output.filter(({ name }) => name !== MOTION_OUTPUT);
  const motion = nodesBehind(graph.node, [MOTION_OUTPUT], MOTION_INPUTS);
  const readsMore = motion.some((node) => node.input?.some((name) => inputs.has(name) && !MOTION_INPUTS.has(name)));
  if (readsMore) return undefined;
  const named = (values: onnx.IValueInfoProto[]): onnx.IValueInfoProto[] =>
    values.filter(({ name }) => MOTION_INPUTS.has(name ?? ''));
  const part = (
    nodes: onnx.INodeProto[],
    input: onnx.IValueInfoProto[],
    output: onnx.IValueInfoProto[],
  ): Uint8Array => {
    const read = new Set(nodes.flatMap((node) => node.input ?? []));
    const initializer = graph.initializer?.filter(({ name }) => read.has(name ?? ''));
    return onnx.ModelProto.encode({
      ...model,
      graph: { name: graph.name, node: nodes, initializer, input, output },
    }).finish();
  };
  const depthNodes = nodesBehind(
    graph.node,
    depthOutputs.map(({ name }) => name ?? ''),
    new Set(),
  );
  return {
    depth: part(depthNodes, graph.input, depthOutputs),
    motion: part(
      motion,
      [...named(graph.output), ...named(graph.input)],
      graph.output.filter(({ name }) => name === MOTION_OUTPUT),
    ),
  };
}

/**
 * Hex digest of all that `features` follows from. Two models that agree in it understand each other's features: those of a frame that one has seen
 * can be the other's `previous_features`.
 */
export function featuresDigest({ graph }: onnx.ModelProto): string {
  const node = nodesBehind(graph?.node ?? [], ['features'], new Set());
  const read = new Set(node.flatMap(({ input }) => input ?? []));
  const initializer = graph?.initializer?.filter(({ name }) => read.has(name ?? ''));
  return createHash('sha256').update(onnx.GraphProto.encode({ node, initializer }).finish()).digest('hex');
}

/** The nodes that the named values follow from, in the graph's own (topological) order; the search ends at `given` values. */
function nodesBehind(
  nodes: readonly onnx.INodeProto[],
  outputs: readonly string[],
  given: ReadonlySet<string>,
): onnx.INodeProto[] {
  const wanted = new Set(outputs);
  const found: onnx.INodeProto[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.output?.some((name) => wanted.has(name))) continue;
    found.push(node);
    for (const name of node.input ?? []) if (!given.has(name)) wanted.add(name);
  }
  return found.reverse();
}
