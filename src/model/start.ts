/** Reproducible starting weights: every variable's numbers depend on the seed and its own name only. */
import type { LayerStart } from './layers';

// Looking up a global is slow inside jest's sandbox, and this file draws millions of numbers.
const { imul, sqrt } = Math;

/** Mulberry32: a small generator of uniform numbers in [0, 1) (T. Ettinger, public domain). */
export function uniformGenerator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = imul(t ^ (t >>> 15), t | 1);
    t ^= t + imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** FNV-1a, 32 bits. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * Starting numbers of one variable.
 *
 * @param name the variable's name, e.g. `depth/head/kernel`
 * @param shape [kh, kw, in, out] for a convolution, [kh, kw, channels, 1] depthwise, [in, out] dense, [channels] for a bias
 */
export function startingValues(name: string, shape: readonly number[], start: LayerStart, seed: number): Float32Array {
  const size = shape.reduce((product, n) => product * n, 1);
  const values = new Float32Array(size);
  if (shape.length === 1) return values.fill(start.bias);
  const fanIn = name.endsWith('/depthwise_kernel') ? shape[0] * shape[1] : size / shape[shape.length - 1];
  // Uniform with He's variance (He et al. 2015): as good a start as normal numbers, and cheap to draw.
  const halfWidth = (start.gain * sqrt(3)) / sqrt(fanIn);
  const uniform = uniformGenerator((hashName(name) ^ imul(seed, 0x9e3779b1)) >>> 0);
  for (let i = 0; i < size; i += start.equalOutputs) {
    const value = (2 * uniform() - 1) * halfWidth;
    for (let j = i; j < i + start.equalOutputs; j++) values[j] = value;
  }
  return values;
}
