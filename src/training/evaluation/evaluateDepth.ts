/** The depth of a model, of a training run or of a baseline, measured on a recording. */
import {
  constantPredictor,
  evaluateModel,
  evaluatePredictor,
  groundPlanePredictor,
  type EvaluateOptions,
} from './evaluate';
import type { DepthSummary } from './metrics';
import { runPredictor, type RunPredictorOptions } from './runPredictor';

/** One of the three; the run's options belong to a run. */
export interface DepthSubject extends RunPredictorOptions {
  /** File that `depthgrad export` wrote. */
  model?: string;
  /** Folder of `depthgrad train`. */
  run?: string;
  baseline?: 'constant' | 'ground-plane';
}

export async function evaluateDepth(
  { model, run, baseline, ...runOptions }: DepthSubject,
  dataset: string,
  options: EvaluateOptions,
): Promise<DepthSummary> {
  if (model !== undefined) return evaluateModel(model, dataset, options);
  if (run !== undefined) return evaluatePredictor(runPredictor(run, runOptions), dataset, options);
  if (baseline === 'constant') return evaluatePredictor(constantPredictor, dataset, options);
  return evaluatePredictor(groundPlanePredictor(undefined, options.maxDepth), dataset, options);
}
