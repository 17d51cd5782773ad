/**
 * The offline twin: the identical learner over a recording, frame by frame, bit-exact for a seed. Every measured frame is predicted before
 * anything is learned from it.
 */
import { setImmediate } from 'node:timers/promises';
import type { FrameSequence } from '../training/datasets/dataset';
import type { Weights } from './adaptedNetwork';
import type { Triplet } from './frame';
import { Learner, type AdaptationOptions, type StepReport } from './learner';
import { meanFigures, type Figures } from './measure';
import { sourceTriplets } from './sourceTriplets';

export interface TwinOptions extends Partial<AdaptationOptions> {
  /** Pieces of work (steps and parts of judgements) per frame of the target; below 1 for a learner slower than the camera. */
  stepsPerFrame?: number;
  /** Every so-manyth triplet of the target is measured. */
  measureEvery?: number;
  /** Triplets of the source's held-out part measured before and after. */
  sourceTriplets?: number;
  onFrame?: (done: number, count: number) => void;
  onWarning?: (message: string) => void;
}

/** Unmasked photometric errors (measure.ts). */
export interface BeforeAfter {
  /** Of the model that was given. */
  before: number;
  after: number;
}

/** A line of log.jsonl. */
export interface TwinLogEntry {
  frame: number;
  step: number;
  /** Figures as "line/figure", for the curves. */
  [figure: string]: number;
}

export interface TwinReport {
  steps: number;
  /** Second half of the target. `after`: each triplet by the weights published when it came, learning going on. */
  place_error: BeforeAfter & {
    /** By the weights that were published in the middle: nothing of the second half was learned from. */
    after_first_half: number;
    /** Of the neighbours as they are, un-warped. */
    unwarped: number;
    triplets: number;
  };
  /** The drives' held-out parts, by the model given and the last one published. */
  source_error: BeforeAfter & { triplets: number };
  promoted: number;
  rolled_back: number;
  refused: number;
  paused_because?: string;
  version: string;
  sha256: string;
  parent_sha256: string;
  /** Triplets found, and frames left out by reason. */
  triplets: number;
  skipped: Readonly<Record<string, number>>;
  /** Rollbacks, promotions and refusals in their order. */
  judgements: { step: number; verdict: string; reasons: string[] }[];
  options: AdaptationOptions & { stepsPerFrame: number; measureEvery: number };
}

export interface TwinSample {
  frame: number;
  triplet: Triplet;
  /** Fused log-disparity [h,w] of the target by the model given and by the last one published. */
  before: Float32Array;
  after: Float32Array;
}

export interface TwinResult {
  report: TwinReport;
  /** Of the last published model. */
  onnx: Uint8Array;
  /** Of the one that was published in the middle: to it the target's second half is new. */
  middleOnnx: Uint8Array;
  log: TwinLogEntry[];
  samples: TwinSample[];
  /** For maps and pictures. */
  size: { height: number; width: number };
}

const SAMPLES = 4;

interface MeasuredFrame {
  frame: number;
  triplet: Triplet;
  reference: Figures;
  published: Figures;
  /** By the weights of the middle; from there on. */
  middle?: Figures;
}

/**
 * @param onnx the model to start from, which is the reference
 * @param sources drives it was trained on
 * @throws Error when model, options or drives do not fit, or no second half of the target has a moving triplet
 */
export async function runTwin(
  onnx: Uint8Array,
  sources: readonly FrameSequence[],
  target: FrameSequence,
  { stepsPerFrame = 1, measureEvery = 2, sourceTriplets: sourceCount = 40, onFrame, onWarning, ...given }: TwinOptions,
): Promise<TwinResult> {
  const learner = new Learner(onnx, { ...given, dutyCycle: 1, stepPeriod: 0 }); // no clock decides anything
  try {
    const { options, metadata } = learner;
    const judgements: TwinReport['judgements'] = [];
    learner.on('warning', ({ message }) => onWarning?.(message));
    learner.on('promoted', () => judgements.push({ step: learner.status().step, verdict: 'promoted', reasons: [] }));
    learner.on('rolledBack', ({ reason }) =>
      judgements.push({ step: learner.status().step, verdict: 'rolled back', reasons: [reason] }),
    );
    learner.addSource(sources);
    const log: TwinLogEntry[] = [];
    const measured: MeasuredFrame[] = [];
    const image = new Uint8Array(3 * target.width * target.height);
    const half = target.count >> 1;
    let middle: Weights | undefined;
    let middleOnnx = onnx;
    let budget = 0;
    let triplets = 0;
    for (let frame = 0; frame < target.count; frame++) {
      if (frame === half) {
        middle = learner.weights.published;
        middleOnnx = learner.model().onnx;
      }
      target.readFrame(frame, image);
      const { width, height, intrinsics, framesPerSecond, stamps, speeds } = target;
      const stamp = stamps?.[frame] ?? frame / framesPerSecond;
      const { triplet } = learner.push({ image, width, height, intrinsics, stamp, speed: speeds?.[frame] });
      if (triplet && triplets++ % measureEvery === 0) {
        const one = measureFrame(learner, frame, triplet, middle);
        measured.push(one);
        log.push({
          frame,
          step: learner.status().step,
          'reference/place error': one.reference.error,
          'published/place error': one.published.error,
        });
      }
      for (budget += stepsPerFrame; budget >= 1; budget--) {
        const report = learner.step();
        if (!report) {
          // Work that was not there is not made up for later.
          budget = 0;
          break;
        }
        note(report, frame, log, judgements);
      }
      onFrame?.(frame + 1, target.count);
      await setImmediate(); // for progress bars and signals
    }
    const second = measured.filter(({ middle: figures }) => figures !== undefined);
    if (second.length === 0)
      throw new Error(
        `${target.name}: its second half has no moving triplet; give a longer recording or lower minMotion`,
      );
    const { reference, published } = learner.weights;
    const status = learner.status();
    const update = learner.model();
    const heldOut = sourceTriplets(sources, 'held out', sourceCount, { ...metadata, minMotion: options.minMotion });
    const ofSource = heldOut.map((triplet) => learner.measure(triplet, [reference, published]));
    const mean = (all: readonly Figures[]): number => meanFigures(all).error;
    const shown = Array.from(
      { length: Math.min(SAMPLES, second.length) },
      (_, i) => second[Math.floor(((i + 0.5) * second.length) / Math.min(SAMPLES, second.length))],
    );
    return {
      report: {
        steps: status.step,
        place_error: {
          before: mean(second.map((one) => one.reference)),
          after: mean(second.map((one) => one.published)),
          after_first_half: mean(second.map((one) => one.middle!)),
          unwarped: meanFigures(second.map((one) => one.reference)).unwarped,
          triplets: second.length,
        },
        source_error: {
          before: mean(ofSource.map(([one]) => one.figures)),
          after: mean(ofSource.map(([, one]) => one.figures)),
          triplets: heldOut.length,
        },
        promoted: status.promoted,
        rolled_back: status.rolledBack,
        refused: status.refused,
        paused_because: status.state === 'paused' ? status.reason : undefined,
        version: update.version,
        sha256: update.sha256,
        parent_sha256: update.parent,
        triplets: status.triplets,
        skipped: status.skipped,
        judgements,
        options: { ...options, stepsPerFrame, measureEvery },
      },
      onnx: update.onnx,
      middleOnnx,
      log,
      samples: shown.map(({ frame, triplet }) => {
        const [before, after] = learner.measure(triplet, [reference, published]);
        return { frame, triplet, before: before.logDisparity, after: after.logDisparity };
      }),
      size: { height: metadata.height, width: metadata.width },
    };
  } finally {
    learner.dispose();
  }
}

function measureFrame(learner: Learner, frame: number, triplet: Triplet, middle: Weights | undefined): MeasuredFrame {
  const { reference, published } = learner.weights;
  // The same weights are not measured twice.
  const sets = [...new Set([reference, published, ...(middle ? [middle] : [])])];
  const figures = learner.measure(triplet, sets).map((one) => one.figures);
  const of = (weights: Weights): Figures => figures[sets.indexOf(weights)];
  return { frame, triplet, reference: of(reference), published: of(published), middle: middle && of(middle) };
}

function note(
  { step, losses, judgement }: StepReport,
  frame: number,
  log: TwinLogEntry[],
  judgements: TwinReport['judgements'],
): void {
  if (losses)
    log.push({
      frame,
      step,
      ...Object.fromEntries(Object.entries(losses).map(([name, x]) => [`learning/${name}`, x])),
    });
  if (!judgement) return;
  const { candidate, active, reference, verdict, reasons } = judgement;
  const entry: TwinLogEntry = { frame, step };
  for (const [line, judged] of Object.entries({ candidate, published: active, reference })) {
    entry[`${line}/judged place error`] = judged.place.error;
    entry[`${line}/judged source error`] = judged.source.error;
    entry[`${line}/log depth scale`] = -judged.place.scale;
  }
  log.push(entry);
  if (verdict === 'refused') judgements.push({ step, verdict, reasons });
}
