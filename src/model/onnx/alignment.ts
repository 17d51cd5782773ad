/**
 * Direct image alignment (geometry/alignment.ts) as ONNX nodes: the pose head's answer, or no motion, refined on the graph's own depth. The names
 * follow that file, which explains the arithmetic.
 */
import {
  ALIGNMENT_ITERATIONS,
  ALIGNMENT_SHRINK,
  DAMPING,
  DIAGONAL_FLOOR,
  INVERSE_ITERATIONS,
  MAX_CHANGE,
  MIN_DEPTH,
  RESIDUAL_SCALE,
} from '../../geometry/alignment';
import type { GraphWriter } from './graphWriter';

/** What the alignment reads; maps are [1, 1, height/2, width/2], `intrinsics` [4] is for the network's size, `pose` [1, 6]. */
export interface AlignmentInputs {
  target: string;
  source: string;
  logDisparity: string;
  intrinsics: string;
  /** The head's answer; left out, the alignment starts from no motion and a level coarser. */
  pose?: string;
  /** The network's size. */
  height: number;
  width: number;
}

/** 12x6 map from (v, w) to the flattened [ [w]x | v ]. */
const TWIST_TO_MATRIX = [
  [0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, -1],
  [0, 0, 0, 0, 1, 0],
  [1, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 1],
  [0, 0, 0, 0, 0, 0],
  [0, 0, 0, -1, 0, 0],
  [0, 1, 0, 0, 0, 0],
  [0, 0, 0, 0, -1, 0],
  [0, 0, 0, 1, 0, 0],
  [0, 0, 0, 0, 0, 0],
  [0, 0, 1, 0, 0, 0],
];

/** 6x12 map from the flattened [R | t] to (t, vee(R - R^T) / 2). */
const MATRIX_TO_TWIST = [
  [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  [0, 0, 0, 0, 0, 0, -0.5, 0, 0, 0.5, 0, 0],
  [0, 0, 0.5, 0, 0, 0, 0, 0, -0.5, 0, 0, 0],
  [0, -0.5, 0, 0, 0.5, 0, 0, 0, 0, 0, 0, 0],
];

const unit = (size: number): number[] => Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));

/** Short forms for the many small operations. */
class Algebra {
  constructor(readonly graph: GraphWriter) {}

  constant(name: string, values: ArrayLike<number>, shape: readonly number[]): string {
    return this.graph.floats(`align/${name}`, values, shape);
  }

  /** Named by its value, so that equal numbers share one. */
  number(value: number): string {
    return this.constant(`number_${value}`, [value], [1]);
  }

  op(operator: string, ...inputs: string[]): string {
    return this.graph.node(operator, inputs);
  }

  shape(value: string, ...shape: number[]): string {
    return this.graph.shaped(value, shape);
  }

  /** Rows `from` to `to` (columns with axis 1). */
  slice(value: string, from: number, to: number, axis = 0): string {
    const at = (name: string, n: number): string => this.graph.integers(`align/${name}_${n}`, [n]);
    return this.graph.node('Slice', [value, at('at', from), at('at', to), at('axis', axis)]);
  }

  sum(value: string): string {
    return this.graph.node('ReduceSum', [value], { keepdims: 0 });
  }

  transpose(value: string): string {
    return this.graph.node('Transpose', [value], { perm: [1, 0] });
  }
}

/** exp of a small motion [6, 1]: [3, 4]. */
function smallMotion(x: Algebra, step: string): string {
  const linear = x.shape(x.op('MatMul', x.constant('twist', TWIST_TO_MATRIX.flat(), [12, 6]), step), 3, 4);
  const w = x.slice(step, 3, 6);
  const outer = x.op('MatMul', w, x.transpose(w));
  const square = x.op('Mul', x.constant('unit3', unit(3), [3, 3]), x.sum(x.op('Mul', w, w)));
  const quadratic = x.op('Mul', x.op('Sub', outer, square), x.number(0.5));
  const padded = x.graph.node('Concat', [quadratic, x.constant('zeros3', [0, 0, 0], [3, 1])], { axis: 1 });
  const identity = x.constant('identity34', [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], [3, 4]);
  return x.op('Add', x.op('Add', linear, padded), identity);
}

/** [3, 4] -> [6]: translation, axis-angle. */
function vectorOf(x: Algebra, motion: string): string {
  const flat = x.op('MatMul', x.constant('vee', MATRIX_TO_TWIST.flat(), [6, 12]), x.shape(motion, 12, 1));
  const w = x.slice(flat, 3, 6);
  const s2 = x.sum(x.op('Mul', w, w));
  const second = x.op('Mul', s2, x.number(1 / 6));
  const fourth = x.op('Mul', x.op('Mul', s2, s2), x.number(3 / 40));
  const factor = x.op('Add', x.op('Add', second, fourth), x.number(1));
  return x.shape(x.graph.node('Concat', [x.slice(flat, 0, 3), x.op('Mul', w, factor)], { axis: 0 }), 6);
}

function invertNormalMatrix(x: Algebra, h: string): string {
  const one = x.constant('unit6', unit(6), [6, 6]);
  const others = x.constant(
    'others6',
    unit(6).map((value) => 1 - value),
    [6, 6],
  );
  const diagonal = x.op('MatMul', x.op('Mul', h, one), x.constant('ones6', Array(6).fill(1), [6, 1]));
  const damped = x.op('Add', x.op('Mul', diagonal, x.number(1 + DAMPING)), x.number(DIAGONAL_FLOOR));
  const scale = x.op('Reciprocal', x.op('Sqrt', damped));
  const scales = x.op('MatMul', scale, x.transpose(scale));
  const a = x.op('Add', x.op('Mul', x.op('Mul', h, scales), others), one);
  let inverse = x.constant(
    'sixth6',
    unit(6).map((value) => value / 6),
    [6, 6],
  );
  const twice = x.constant(
    'two6',
    unit(6).map((value) => 2 * value),
    [6, 6],
  );
  for (let k = 0; k < INVERSE_ITERATIONS; k++) {
    inverse = x.op('MatMul', inverse, x.op('Sub', twice, x.op('MatMul', a, inverse)));
  }
  return x.op('Mul', inverse, scales);
}

interface Level {
  target: string;
  source: string;
  logDisparity: string;
  height: number;
  width: number;
  /** How many pixels of the network's image one of this level is across. */
  shrink: number;
  iterations: readonly number[];
}

/** One level's refinement of the motion [3, 4]. */
function refine(x: Algebra, level: Level, intrinsics: string, start: string): string {
  const { height, width, shrink, target, source } = level;
  const n = height * width;
  const grid = (value: (i: number) => number): Float32Array => Float32Array.from({ length: n }, (_, i) => value(i));
  const columns = x.constant(
    `columns_${height}`,
    grid((i) => i % width),
    [1, n],
  );
  const rows = x.constant(
    `rows_${height}`,
    grid((i) => Math.floor(i / width)),
    [1, n],
  );
  const focal = x.op('Mul', intrinsics, x.number(1 / shrink));
  const [fx, fy] = [x.slice(focal, 0, 1), x.slice(focal, 1, 2)];
  const shifted = x.op('Sub', x.op('Mul', x.op('Add', intrinsics, x.number(0.5)), x.number(1 / shrink)), x.number(0.5));
  const [cx, cy] = [x.slice(shifted, 2, 3), x.slice(shifted, 3, 4)];

  const z = x.op('Exp', x.op('Neg', x.shape(level.logDisparity, 1, n)));
  const px = x.op('Mul', x.op('Div', x.op('Sub', columns, cx), fx), z);
  const py = x.op('Mul', x.op('Div', x.op('Sub', rows, cy), fy), z);
  const ones = x.constant(`ones_${height}`, new Float32Array(n).fill(1), [1, n]);
  const points = x.graph.node('Concat', [px, py, z, ones], { axis: 0 });

  const kernel = x.constant('slopes', [0, 0, 0, -0.5, 0, 0.5, 0, 0, 0, 0, -0.5, 0, 0, 0, 0, 0, 0.5, 0], [2, 1, 3, 3]);
  const slopes = x.graph.node('Conv', [target, kernel], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  const inner = grid((i) => {
    const [u, v] = [i % width, Math.floor(i / width)];
    return u > 0 && v > 0 && u < width - 1 && v < height - 1 ? 1 : 0;
  });
  const masked = x.op('Mul', x.shape(slopes, 2, n), x.constant(`inner_${height}`, inner, [1, n]));
  const a = x.op('Div', x.op('Mul', x.slice(masked, 0, 1), fx), z);
  const b = x.op('Div', x.op('Mul', x.slice(masked, 1, 2), fy), z);
  const c = x.op('Neg', x.op('Div', x.op('Add', x.op('Mul', a, px), x.op('Mul', b, py)), z));
  const turnX = x.op('Sub', x.op('Mul', c, py), x.op('Mul', b, z));
  const turnY = x.op('Sub', x.op('Mul', a, z), x.op('Mul', c, px));
  const turnZ = x.op('Sub', x.op('Mul', b, px), x.op('Mul', a, py));
  const jacobian = x.graph.node('Concat', [a, b, c, turnX, turnY, turnZ], { axis: 0 });
  const jacobianTransposed = x.transpose(jacobian);

  // K as a matrix: K [R | t] p gives pixel * depth and depth in one product.
  const zero = x.number(0);
  const camera = x.shape(
    x.graph.node('Concat', [fx, zero, cx, zero, fy, cy, zero, zero, x.number(1)], { axis: 0 }),
    3,
    3,
  );
  const limits = x.constant(`limits_${height}`, [width - 1, height - 1], [2, 1]);
  const toGrid = x.constant(`to_grid_${height}`, [2 / (width - 1), 2 / (height - 1)], [1, 2]);
  const grey = x.shape(target, 1, n);
  const lastRow = x.constant('last_row', [0, 0, 0, 1], [1, 4]);
  let motion = start;
  for (const steps of level.iterations) {
    let inverse = '';
    for (let k = 0; k < steps; k++) {
      const moved = x.op('MatMul', x.op('MatMul', camera, motion), points);
      const depth = x.slice(moved, 2, 3);
      const pixels = x.op('Div', x.slice(moved, 0, 2), x.op('Max', depth, x.number(MIN_DEPTH)));
      const margins = x.graph.node(
        'Concat',
        [pixels, x.op('Sub', limits, pixels), x.op('Sub', depth, x.number(MIN_DEPTH))],
        { axis: 0 },
      );
      const least = x.graph.node('ReduceMin', [margins, x.graph.integers('align/axis_0', [0])], { keepdims: 1 });
      const valid = x.graph.node('Cast', [x.op('GreaterOrEqual', least, zero)], { to: 1 });
      const normalised = x.op('Sub', x.op('Mul', x.transpose(pixels), toGrid), x.number(1));
      const sampled = x.graph.node('GridSample', [source, x.shape(normalised, 1, 1, n, 2)], {
        mode: 'bilinear',
        padding_mode: 'border',
        align_corners: 1,
      });
      const residual = x.op('Sub', x.shape(sampled, 1, n), grey);
      const relative = x.op('Mul', residual, x.number(1 / RESIDUAL_SCALE));
      const weight = x.op('Div', valid, x.op('Add', x.op('Mul', relative, relative), x.number(1)));
      const weightSum = x.op('Add', x.sum(weight), x.number(1));
      if (k === 0) {
        const h = x.op('MatMul', x.op('Mul', jacobian, weight), jacobianTransposed);
        inverse = invertNormalMatrix(x, x.op('Div', h, weightSum));
      }
      const gradient = x.op('MatMul', jacobian, x.shape(x.op('Mul', weight, residual), n, 1));
      const step = x.op('Neg', x.op('Div', x.op('MatMul', inverse, gradient), weightSum));
      const change = x.graph.node('Concat', [smallMotion(x, step), lastRow], { axis: 0 });
      motion = x.op('MatMul', motion, change);
    }
  }
  return motion;
}

/** @returns the name of the refined pose, [1, 6] */
export function writeAlignment(graph: GraphWriter, inputs: AlignmentInputs): string {
  const x = new Algebra(graph);
  const halve = (map: string): string => graph.node('AveragePool', [map], { kernel_shape: [2, 2], strides: [2, 2] });
  const halved = (level: Level, iterations: readonly number[]): Level => ({
    target: halve(level.target),
    source: halve(level.source),
    logDisparity: halve(level.logDisparity),
    height: level.height / 2,
    width: level.width / 2,
    shrink: 2 * level.shrink,
    iterations,
  });
  const { target, source, logDisparity, intrinsics } = inputs;
  const fine: Level = {
    target,
    source,
    logDisparity,
    height: inputs.height / ALIGNMENT_SHRINK,
    width: inputs.width / ALIGNMENT_SHRINK,
    shrink: ALIGNMENT_SHRINK,
    iterations: ALIGNMENT_ITERATIONS.fine,
  };
  const coarse = halved(fine, ALIGNMENT_ITERATIONS.coarse);
  const levels = [coarse, fine];
  if (inputs.pose === undefined) levels.unshift(halved(coarse, ALIGNMENT_ITERATIONS.fromRest));
  const pose = inputs.pose ?? graph.floats('no_motion', new Float32Array(6), [1, 6]);
  let motion = smallMotion(x, x.shape(pose, 6, 1));
  for (const level of levels) motion = refine(x, level, intrinsics, motion);
  const refined = vectorOf(x, motion);

  const answer = x.shape(pose, 6);
  const change = x.op('Sub', refined, answer);
  const norm = (from: number): string => {
    const part = x.slice(change, from, from + 3);
    return x.op('Sqrt', x.sum(x.op('Mul', part, part)));
  };
  const near = x.op('Less', norm(0), x.number(MAX_CHANGE.translation));
  const straight = x.op('Less', norm(3), x.number(MAX_CHANGE.rotation));
  return x.shape(x.op('Where', x.op('And', near, straight), refined, answer), 1, 6);
}
