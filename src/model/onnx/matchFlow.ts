/** MatchFlow as ONNX nodes, channels first. */
import { displacements, matchReach, matchSharpness, normEpsilon } from '../matchFlow';
import type { GraphWriter } from './graphWriter';
import type { GraphMap } from './layers';

function normalised(graph: GraphWriter, value: string): string {
  const channels = graph.integers('channel_axis', [1]);
  const mean = graph.node('ReduceMean', [graph.node('Mul', [value, value]), channels]);
  const norm = graph.node('Sqrt', [graph.node('Add', [mean, graph.floats('match/epsilon', [normEpsilon], [])])]);
  return graph.node('Div', [value, norm]);
}

export function writeMatchFlow(graph: GraphWriter, [previous, current]: GraphMap[]): GraphMap {
  const { height, width } = current;
  const { columns, rows } = matchReach;
  const pads = graph.integers('match/pads', [0, 0, rows, columns, 0, 0, rows, columns]);
  const padded = graph.node('Pad', [normalised(graph, previous.value), pads]);
  const now = normalised(graph, current.value);
  const list = displacements();
  const space = graph.integers('space', [2, 3]);
  const channels = graph.integers('channel_axis', [1]);
  const similarity = list.map(([column, row]) => {
    const [top, left] = [rows + row, columns + column];
    const starts = graph.integers(`match/starts_${top}_${left}`, [top, left]);
    const ends = graph.integers(`match/ends_${top}_${left}`, [top + height, left + width]);
    const shifted = graph.node('Slice', [padded, starts, ends, space]);
    return graph.node('ReduceMean', [graph.node('Mul', [shifted, now]), channels]);
  });
  const volume = graph.node('Concat', similarity, { axis: 1 });
  const sharp = graph.node('Mul', [volume, graph.floats('match/sharpness', [matchSharpness], [])]);
  const share = graph.node('Softmax', [sharp], { axis: 1 });
  // The expected displacement is a 1x1 convolution with the displacements as weights.
  const steps = [0, 1].flatMap((axis) => list.map((displacement) => displacement[axis]));
  const flow = graph.node('Conv', [share, graph.floats('match/displacements', steps, [2, list.length, 1, 1])]);
  const best = graph.node('ReduceMax', [volume, channels]);
  return { value: graph.node('Concat', [flow, best], { axis: 1 }), height, width, channels: 3 };
}
