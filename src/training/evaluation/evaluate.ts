/** A model, or a predictor that does not look, measured against a recording's depth. */
import { openDepthDataset, type DepthDatasetOptions, type DepthFrame } from './depthDataset';
import { DepthMetrics, depthErrors, EIGEN_PROTOCOL, type DepthProtocol, type DepthSummary } from './metrics';
import { OnnxModel } from './onnxModel';

/** Depth [height, width] for a frame of the dataset; of any scale, unless it is measured in metres. */
export type DepthPredictor = (frame: DepthFrame) => Promise<Float32Array>;

export interface EvaluateOptions extends Partial<DepthProtocol>, DepthDatasetOptions {
  /** Compute threads of the model. */
  threads?: number;
  /** Called after each frame. */
  onFrame?: (done: number, count: number) => void;
}

/**
 * Resizes a depth map bilinearly IN DISPARITY, pixel centres at (i + 0.5) / size, borders repeated, as Monodepth2's evaluation
 * does: across an edge, disparity averages like the image, while depth would let the far side win.
 */
export function resizeDepth(
  depth: Float32Array,
  height: number,
  width: number,
  toHeight: number,
  toWidth: number,
): Float32Array {
  if (height === toHeight && width === toWidth) return depth;
  const axis = (from: number, to: number) =>
    Array.from({ length: to }, (_, i) => {
      const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
      const low = Math.min(Math.floor(at), Math.max(0, from - 2));
      return { low, high: Math.min(low + 1, from - 1), share: at - low };
    });
  const columns = axis(width, toWidth);
  const resized = new Float32Array(toHeight * toWidth);
  let at = 0;
  for (const row of axis(height, toHeight)) {
    for (const { low, high, share } of columns) {
      const above = (1 - share) / depth[row.low * width + low] + share / depth[row.low * width + high];
      const below = (1 - share) / depth[row.high * width + low] + share / depth[row.high * width + high];
      resized[at++] = 1 / ((1 - row.share) * above + row.share * below);
    }
  }
  return resized;
}

/** The same depth everywhere: what any model must beat. */
export const constantPredictor: DepthPredictor = async (frame) => new Float32Array(frame.width * frame.height).fill(1);

/**
 * A flat road below the principal point's row, and far distance above it: depth = fy * cameraHeight / (v - cy), at most `farthest`.
 * @param cameraHeight metres over the road (KITTI 1.65); median scaling takes it out but for the far limit
 */
export function groundPlanePredictor(cameraHeight = 1.65, farthest = 80): DepthPredictor {
  return async ({ width, height, intrinsics }) => {
    const depth = new Float32Array(width * height);
    for (let v = 0; v < height; v++) {
      const below = v - intrinsics.cy;
      const z = below > 0 ? Math.min((intrinsics.fy * cameraHeight) / below, farthest) : farthest;
      depth.fill(z, v * width, (v + 1) * width);
    }
    return depth;
  };
}

/**
 * Measures a predictor on a recording's frames with ground truth.
 *
 * @throws Error naming the recording when none of the frames has any within the protocol's limits
 */
export async function evaluatePredictor(
  predict: DepthPredictor,
  path: string,
  options: EvaluateOptions = {},
): Promise<DepthSummary> {
  const {
    minDepth = EIGEN_PROTOCOL.minDepth,
    maxDepth = EIGEN_PROTOCOL.maxDepth,
    crop = EIGEN_PROTOCOL.crop,
    scale = EIGEN_PROTOCOL.scale,
    onFrame,
  } = options;
  if (!(minDepth > 0 && maxDepth > minDepth))
    throw new RangeError(`depth limits ${minDepth} .. ${maxDepth} m are not in order above 0`);
  const dataset = await openDepthDataset(path, options);
  const metrics = new DepthMetrics();
  for await (const frame of dataset.frames()) {
    const prediction = await predict(frame);
    const errors = depthErrors(prediction, frame.depth, frame.height, frame.width, { minDepth, maxDepth, crop, scale });
    if (errors) metrics.update(errors);
    onFrame?.(frame.index + 1, dataset.frameCount ?? 0);
  }
  if (metrics.count === 0)
    throw new Error(`${path}: no frame of it has measured depth between ${minDepth} and ${maxDepth} m to compare with`);
  return metrics.compute();
}

/** Measures an exported model. Each frame is a first frame to it: depth uses no other. */
export async function evaluateModel(
  modelPath: string,
  dataset: string,
  options: EvaluateOptions = {},
): Promise<DepthSummary> {
  const model = await OnnxModel.open(modelPath, options.threads);
  try {
    const none = model.emptyFeatures();
    return await evaluatePredictor(
      async ({ image, height, width }) => {
        const { depth, ...size } = await model.run(image, height, width, none);
        return resizeDepth(depth, size.height, size.width, height, width);
      },
      dataset,
      options,
    );
  } finally {
    await model.close();
  }
}
