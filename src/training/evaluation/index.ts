export { evaluateModel, evaluatePredictor, type EvaluateOptions } from './evaluate';
export { evaluateHeldOut, type HeldOutOptions, type HeldOutResult } from './heldOut';
