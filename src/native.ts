/**
 * The compiled kernels of native/ (npm run setup builds them for this machine): loops over pixels and weights that V8 runs three to ten
 * times slower, because it has no vector instructions and one thread.
 */

/** An image's buffers, in the order the kernels take them: height, width, [fx, fy, cx, cy], then those of PhotometricWorkspace. */
export type WorkspaceArguments = readonly [
  height: number,
  width: number,
  camera: Float32Array,
  warped: Float32Array,
  warpedSlope: Float32Array,
  slopeOfLogDisparity: Float32Array,
  point: Float32Array,
  valid: Uint8Array,
  coefficients: Float32Array,
];

/** An AlignmentLevel in the order the kernels take it: height, width, [fx, fy, cx, cy], the maps; then the alignment's constants. */
export type LevelArguments = readonly [
  height: number,
  width: number,
  camera: Float32Array,
  target: Float32Array,
  source: Float32Array,
  logDisparity: Float32Array,
  constants: Float64Array,
];

/** Lengths are checked there; what each computes is said where it is called. */
export interface NativeKernels {
  warpIntoTarget(
    ...args: [
      ...WorkspaceArguments,
      source: Float32Array,
      logDisparity: Float32Array,
      rotation: Float32Array,
      translation: Float32Array,
    ]
  ): void;
  photometricError(height: number, width: number, a: Float32Array, b: Float32Array, out: Float32Array): void;
  backwardThroughWarp(
    ...args: [
      ...WorkspaceArguments,
      target: Float32Array,
      weight: Float32Array,
      translation: Float32Array,
      gradLogDisparity: Float32Array,
      gradPose: Float64Array,
    ]
  ): void;
  backwardFromImage(
    ...args: [
      ...WorkspaceArguments,
      pull: Float32Array,
      translation: Float32Array,
      gradLogDisparity: Float32Array,
      gradPose: Float64Array,
    ]
  ): void;
  sumOfSquares(values: Float32Array): number;
  /** @param factors clip, weight decay, beta1, beta2, corrected rate, corrected epsilon, share of the new weights in the average */
  adam(
    factors: Float32Array,
    gradient: Float32Array,
    weights: Float32Array,
    firstMoment: Float32Array,
    secondMoment: Float32Array,
    average: Float32Array,
  ): void;
  moveAverage(share: number, weights: Float32Array, average: Float32Array): void;
  smallMotion(translationAndRotation: Float64Array, motion: Float64Array): void;
  invertNormalMatrix(constants: Float64Array, matrix: Float64Array, inverse: Float64Array): void;
  /** Changes the motion, 3x4 [R | t] as elsewhere. */
  refineMotion(...args: [...LevelArguments, iterations: Int32Array, motion: Float64Array]): void;
  alignmentCost(...args: [...LevelArguments, motion: Float64Array]): number;
  blockMeans(height: number, width: number, channels: number, side: number, map: Float32Array, out: Float32Array): void;
  /** glibc's mallopt for this process: blocks from mmapThreshold bytes on are mapped, and twice as much stays free at the heap's top. Nothing with another libc. */
  limitHeap(mmapThreshold: number, arenas: number): void;
  /** glibc's malloc_trim(0): freed pages of all threads go back to the system. */
  trimHeap(): void;
}

function load(): NativeKernels {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- an addon
    return require('depthgrad-native/kernels.node') as NativeKernels;
  } catch (error) {
    throw new Error(`depthgrad's compiled kernels do not load: npm run setup builds them (${String(error)})`);
  }
}

export const native = load();
