/**
 * Screened-Poisson fusion, forward differences and confidence as ONNX nodes: the same numbers as ../fusion.ts,
 * ../../geometry/poisson.ts and ../confidence.ts.
 */
import { dctMatrix } from '../../geometry/poisson';
import { confidenceSharpness, confidenceWindow } from '../confidence';
import { inverseSpectrum } from '../fusion';
import type { GraphWriter } from './graphWriter';

interface Size {
  height: number;
  width: number;
}

/** One small convolution over the stacked [u0, G_u, G_v] gives each of the quantities below; its kernel as [out][in] taps. */
type Stencil = readonly (readonly (readonly number[])[])[];

export interface FusionOutputs {
  /** Fused log-disparity, [h, w]. */
  logDisparity: string;
  /** [1, 1, h, w]. */
  confidence: string;
}

/**
 * @param logDisparity name of u0, [1, 1, h, w]
 * @param gradient name of G, [1, 2, h, w]
 */
export function writeFusion(
  graph: GraphWriter,
  logDisparity: string,
  gradient: string,
  { height, width, lambda }: Size & { lambda: number },
): FusionOutputs {
  const inside = writeInside(graph, { height, width });
  const stack = writeStack(graph, logDisparity, gradient, inside);

  // lambda u0 + grad^T G. The 2x2 window ends at the pixel: taps are up-left, up, left, pixel.
  const adjoint: Stencil = [
    [
      [0, 0, 0, lambda],
      [0, 0, 1, -1],
      [0, 1, 0, -1],
    ],
  ];
  const right = writeStencil(graph, 'fusion/adjoint', stack, adjoint, [1, 1, 0, 0]);
  const logDisparityFused = writeSolve(graph, right, height, width, lambda);
  return { logDisparity: logDisparityFused, confidence: writeAgreement(graph, stack, inside) };
}

/** The confidence alone, of a network that fuses in another way. Names and shapes as for `writeFusion`. */
export function writeConfidence(graph: GraphWriter, logDisparity: string, gradient: string, size: Size): string {
  const inside = writeInside(graph, size);
  return writeAgreement(graph, writeStack(graph, logDisparity, gradient, inside), inside);
}

/**
 * (du, dv) of a map, zero in the last column and row.
 *
 * @param map [1, 1, h, w]  @returns [1, 2, h, w]
 */
export function writeForwardDifferences(graph: GraphWriter, map: string, size: Size): string {
  // The window begins at the pixel: taps are pixel, right, below, below-right.
  const taps = [-1, 1, 0, 0, -1, 0, 1, 0];
  const weights = graph.floats('forward_differences', taps, [2, 1, 2, 2]);
  const differences = graph.node('Conv', [map, weights], { kernel_shape: [2, 2], pads: [0, 0, 1, 1] });
  return graph.node('Mul', [differences, writeInside(graph, size)]);
}

function writeInside(graph: GraphWriter, { height, width }: Size): string {
  return graph.floats('fusion/inside', insideMask(height, width), [1, 2, height, width]);
}

/** [u0, G_u, G_v]: [1, 3, h, w]. */
function writeStack(graph: GraphWriter, logDisparity: string, gradient: string, inside: string): string {
  return graph.node('Concat', [logDisparity, graph.node('Mul', [gradient, inside])], { axis: 1 });
}

/** exp(-k * mean |grad u0 - G|), [1, 1, h, w]. */
function writeAgreement(graph: GraphWriter, stack: string, inside: string): string {
  // grad u0 - G. The window begins at the pixel: taps are pixel, right, below, below-right.
  const difference: Stencil = [
    [
      [-1, 1, 0, 0],
      [-1, 0, 0, 0],
      [0, 0, 0, 0],
    ],
    [
      [-1, 0, 1, 0],
      [0, 0, 0, 0],
      [-1, 0, 0, 0],
    ],
  ];
  const disagreement = graph.node('Mul', [
    writeStencil(graph, 'fusion/difference', stack, difference, [0, 0, 1, 1]),
    inside,
  ]);
  const bothAxes = graph.node('ReduceSum', [graph.node('Abs', [disagreement]), graph.integers('channel_axis', [1])], {
    keepdims: 1,
  });
  const before = (confidenceWindow - 1) >> 1;
  const after = confidenceWindow - 1 - before;
  const mean = graph.node('AveragePool', [bothAxes], {
    kernel_shape: [confidenceWindow, confidenceWindow],
    pads: [before, before, after, after],
    count_include_pad: 0,
  });
  const sharpness = graph.floats('confidence/minus_sharpness', [-confidenceSharpness], []);
  return graph.node('Exp', [graph.node('Mul', [mean, sharpness])]);
}

/** Four matrix products: to the cosine spectrum, divide, and back. */
function writeSolve(graph: GraphWriter, right: string, height: number, width: number, lambda: number): string {
  const rows = graph.floats('fusion/dct_rows', Float32Array.from(dctMatrix(height)), [height, height]);
  const columns = graph.floats('fusion/dct_columns', Float32Array.from(dctMatrix(width)), [width, width]);
  const inverse = graph.floats('fusion/inverse_spectrum', inverseSpectrum(height, width, lambda), [height, width]);
  const plane = graph.node('Reshape', [right, graph.integers('plane', [height, width])]);
  const overColumns = graph.node('Gemm', [plane, columns], { transB: 1 });
  const spectrum = graph.node('Mul', [graph.node('Gemm', [rows, overColumns]), inverse]);
  const backRows = graph.node('Gemm', [rows, spectrum], { transA: 1 });
  return graph.node('Gemm', [backRows, columns]);
}

function writeStencil(graph: GraphWriter, name: string, stack: string, stencil: Stencil, pads: number[]): string {
  const weights = graph.floats(name, stencil.flat(2), [stencil.length, 3, 2, 2]);
  return graph.node('Conv', [stack, weights], { kernel_shape: [2, 2], pads });
}

/** 0 where a forward difference would leave the image, 1 elsewhere: [2, h, w] for columns, then rows. */
function insideMask(height: number, width: number): Float32Array {
  const mask = new Float32Array(2 * height * width).fill(1);
  for (let v = 0; v < height; v++) mask[v * width + width - 1] = 0;
  mask.fill(0, mask.length - width);
  return mask;
}
