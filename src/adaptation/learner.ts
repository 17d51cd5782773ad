/**
 * Adapts depthgrad's network to the place the camera is in, one bounded piece of work at a time (docs/adaptation.md).
 *
 * @example
 * const learner = new Learner(readFileSync('model.onnx'), { folder: 'adaptation' });
 * learner.addSource(drive);
 * learner.on('promoted', ({ onnx, version }) => publish(onnx, version));
 * learner.push({ image, width, height, intrinsics, stamp });
 * learner.step();
 */
import { EventEmitter } from 'node:events';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RGB8 } from '../geometry/areaResize';
import { ImageResizer } from '../geometry/imageResizer';
import { scaleIntrinsics } from '../geometry/camera';
import { parseModelFromOnnx, type LoadedModel } from '../model/onnx/loadOnnx';
import type { FrameSequence } from '../training/datasets/dataset';
import { defaultAdam, FlatAdam } from '../training/optimizer';
import { AdaptedNetwork, type Weights } from './adaptedNetwork';
import { checkFrame, type CameraFrame, type Triplet } from './frame';
import { FrameGate, type GateResult } from './frameGate';
import type { Judgement } from './guard';
import { RunningJudgement } from './judgement';
import { isJudged, keepJudged, keepTriplet, measureKept, type KeptTriplet } from './keptTriplet';
import { learnStep } from './learnStep';
import type { LearnerEvents, LearnerState, LearnerStatus, ModelUpdate, StepReport } from './learnerTypes';
import { readState, writeState, type LearnerCounts } from './learnerState';
import type { Figures } from './measure';
import { changeOptions, checkOptions, type AdaptationOptions } from './options';
import { PublishedModel } from './published';
import { ReplayBuffer } from './replayBuffer';
import { sourceTriplets } from './sourceTriplets';

export type { CameraFrame, Triplet } from './frame';
export type { GateResult, SkipReason } from './frameGate';
export type { Judgement } from './guard';
export type * from './learnerTypes';
export { defaultOptions, type AdaptationOptions } from './options';

const MEBIBYTE = 2 ** 20;
const STATE_FILE = 'state.safetensors';
/** What a process killed while saving left behind. */
const UNFINISHED_STATE = /^state\.safetensors\.\d+\.tmp$/;
const BUFFER_FOLDER = 'buffer';

export interface LearnerOptions extends Partial<AdaptationOptions> {
  /** Where buffer and state are kept; without it nothing is written. */
  folder?: string;
}

/** Averaged weights that wait for frames of the place that came after them: those before are too like what was learned from. */
interface Candidate {
  readonly weights: Weights;
  /** Triplets of the place that were judged by when it was put aside. */
  readonly known: WeakSet<KeptTriplet>;
}

export class Learner extends EventEmitter<LearnerEvents> {
  /** The network's size, and the name, version and camera of the model it started from. */
  readonly metadata: LoadedModel['metadata'];
  readonly #folder?: string;
  readonly #learning: AdaptedNetwork;
  readonly #reference: AdaptedNetwork;
  readonly #gate: FrameGate;
  readonly #buffer: ReplayBuffer<KeptTriplet>;
  readonly #published: PublishedModel;
  #options: AdaptationOptions;
  #adam: FlatAdam;
  #counts: LearnerCounts = { step: 0, adamStep: 0, taken: 0, promoted: 0, rolledBack: 0, refused: 0, streak: 0 };
  readonly #resizer = new ImageResizer();
  #pending?: Triplet;
  #online?: { sample: KeptTriplet; steps: number };
  #candidate?: Candidate;
  #judging?: RunningJudgement;
  #judgedAt = 0;
  #lastJudgement?: Judgement;
  #losses: Record<string, number> = {};
  #milliseconds = 0;
  #restUntil = 0;

  /**
   * @param onnx a model that `depthgrad export` wrote: the frozen reference, and where learning starts
   * @throws Error naming what is wrong with the bytes or the options
   */
  constructor(onnx: Uint8Array, { folder, ...options }: LearnerOptions = {}) {
    super();
    this.#options = checkOptions(options);
    this.#folder = folder;
    const { network, metadata } = parseModelFromOnnx(onnx);
    this.metadata = metadata;
    const trainEncoder = this.#options.encoderRate > 0;
    this.#learning = new AdaptedNetwork(network, trainEncoder);
    this.#reference = new AdaptedNetwork(parseModelFromOnnx(onnx).network, trainEncoder);
    this.#published = new PublishedModel(onnx, metadata, this.#learning);
    this.#adam = this.#newAdam();
    this.#gate = new FrameGate(metadata.height, metadata.width);
    if (folder !== undefined) mkdirSync(folder, { recursive: true });
    this.#buffer = new ReplayBuffer({
      folder: folder === undefined ? undefined : join(folder, BUFFER_FOLDER),
      limit: Math.floor(this.#options.bufferMegabytes * MEBIBYTE), // its message takes whole bytes
      onWarning: (message) => this.emit('warning', { message }),
    });
  }

  get options(): Readonly<AdaptationOptions> {
    return this.#options;
  }

  /** @throws Error naming the option that is unknown, out of range or fixed; nothing is changed then */
  setOptions(changes: Partial<AdaptationOptions>): void {
    this.#options = changeOptions(this.#options, changes);
  }

  /**
   * Source frames: triplets spread over the drive's training part go into the buffer's half for them, and over its end into the judged ones.
   * Those of an earlier call or process go.
   *
   * @returns how many are replayed
   * @throws Error when the drives hold no moving triplet
   */
  addSource(drives: readonly FrameSequence[]): number {
    const { height, width } = this.metadata;
    const { judgedSource, minMotion } = this.#options;
    this.#buffer.clear('source');
    this.#buffer.clear('judged-source');
    const [sample] = sourceTriplets(drives, 'judged', 1, { height, width, minMotion });
    const room = Math.floor(this.#buffer.limit / 2 / keepTriplet(this.#reference, sample).bytes) - judgedSource;
    if (room < 1)
      throw new Error(`adaptation options: bufferMegabytes has no room for ${judgedSource} judged triplets`);
    for (const triplet of sourceTriplets(drives, 'judged', judgedSource, { height, width, minMotion }))
      this.#buffer.add('judged-source', keepJudged(this.#reference, triplet, 'source'));
    for (const triplet of sourceTriplets(drives, 'replayed', room, { height, width, minMotion }))
      if (!this.#buffer.add('source', keepTriplet(this.#reference, triplet))) break;
    return this.#buffer.count('source');
  }

  /**
   * Takes a frame in: shrinks it and decides on it. Nothing is computed by the network here.
   *
   * @throws Error naming the field of the frame that does not fit
   */
  push(frame: CameraFrame): GateResult {
    checkFrame(frame);
    const { height, width } = this.metadata;
    const step = frame.width * 3;
    const image = new Uint8Array(3 * height * width);
    this.#resizer.resize({ ...frame, step, layout: RGB8, data: frame.image }, width, height, image);
    const intrinsics = scaleIntrinsics(frame.intrinsics, width, height);
    const { stamp, speed } = frame;
    const result = this.#gate.consider({ image, intrinsics, stamp, speed }, this.#options);
    if (result.triplet) this.take(result.triplet);
    return result;
  }

  /** Takes a triplet whose frames another thread's gate has chosen, at the network's size; it stands in for one not yet learned from. */
  take(triplet: Triplet): void {
    this.#pending = triplet;
  }

  /** Whether the next step could use a new triplet: what comes earlier than that only grows old. */
  get wantsTriplet(): boolean {
    const busy = this.#judging !== undefined || this.#pending !== undefined || performance.now() < this.#restUntil;
    return !busy && this.#counts.pausedBecause === undefined && !this.#missing();
  }

  /** One training step or one part of a judgement; undefined where there is nothing to do yet, or adaptation is paused. */
  step(): StepReport | undefined {
    const started = performance.now();
    if (this.#counts.pausedBecause !== undefined || started < this.#restUntil || this.#missing()) return undefined;
    this.#judging ??= this.#dueJudgement();
    const { taken } = this.#counts;
    const report = this.#judging ? this.#judgePart(this.#judging) : this.#learn();
    // Taking in a triplet that will be judged by is work, too.
    if (!report && this.#counts.taken === taken) return undefined;
    const milliseconds = performance.now() - started;
    const { dutyCycle, stepPeriod } = this.#options;
    this.#restUntil = started + Math.max(milliseconds / dutyCycle, 1000 * stepPeriod);
    if (!report) return undefined;
    this.#milliseconds = milliseconds;
    return { step: this.#counts.step, state: this.#state, milliseconds, ...report };
  }

  status(): LearnerStatus {
    const { step, promoted, rolledBack, refused } = this.#counts;
    const { version, sha256 } = this.#published.facts;
    const buffer = this.#buffer;
    const errors = (part: 'place' | 'source') => {
      const judgement = this.#lastJudgement;
      if (!judgement) return undefined;
      const { reference, active, candidate } = judgement;
      return { reference: reference[part].error, active: active[part].error, candidate: candidate[part].error };
    };
    return {
      state: this.#state,
      reason: this.#counts.pausedBecause ?? this.#missing(),
      step,
      losses: { ...this.#losses },
      stepMilliseconds: this.#milliseconds,
      placeError: errors('place'),
      sourceError: errors('source'),
      promoted,
      rolledBack,
      refused,
      version,
      sha256,
      triplets: this.#gate.accepted,
      skipped: { ...this.#gate.skipped },
      buffer: {
        bytes: buffer.bytes,
        limit: buffer.limit,
        source: buffer.count('source'),
        place: buffer.count('place'),
        judgedSource: buffer.count('judged-source'),
        judgedPlace: buffer.count('judged-place'),
      },
    };
  }

  /** Goes on after a pause. */
  resume(): void {
    this.#counts = { ...this.#counts, pausedBecause: undefined, streak: 0 };
  }

  /** Back to the model the learner was made of; the buffer stays. */
  reset(): void {
    this.withdraw('reset to factory');
    this.resume();
  }

  /** Publishes the reference again, where it is not what is published, and learns on from it; counts as a rollback. */
  withdraw(reason: string): void {
    const update = this.#published.withdraw();
    for (const kind of ['judged-place', 'judged-source'] as const)
      for (const { judged } of this.#buffer.of(kind)) if (judged) judged.active = judged.reference;
    this.#rollBack(reason, update);
  }

  /** The published model: what was promoted last, or the one the learner was made of. */
  model(): ModelUpdate {
    return this.#published.update();
  }

  /** Measures a triplet with each of the weights, without learning from it. */
  measure(triplet: Triplet, sets: readonly Weights[]): { figures: Figures; logDisparity: Float32Array }[] {
    const kept = keepTriplet(this.#reference, triplet);
    return sets.map((weights) => this.#learning.withWeights(weights, () => measureKept(this.#learning, kept)));
  }

  /** Of the published model, and of the one the learner was made of. */
  get weights(): { published: Weights; reference: Weights } {
    return { published: this.#published.weights, reference: this.#published.reference };
  }

  /** Writes the state; the buffer's files are written as they come. @throws Error naming the file; the state before stays */
  save(): void {
    if (this.#folder === undefined) return;
    writeState(join(this.#folder, STATE_FILE), this.#adam, this.#published, this.#counts);
  }

  /**
   * Goes on from what an earlier process kept in the folder. A damaged state, or one of another model, is named in a warning and put aside.
   *
   * @returns whether there was a state
   */
  restore(): boolean {
    if (this.#folder === undefined) return false;
    this.#buffer.load(this.metadata.height, this.metadata.width, (triplet, kind) => {
      if (kind === 'judged-source') return keepJudged(this.#reference, triplet, 'source');
      if (kind === 'judged-place') return keepJudged(this.#reference, triplet, 'place');
      return keepTriplet(this.#reference, triplet);
    });
    const folder = this.#folder;
    for (const name of readdirSync(folder))
      if (UNFINISHED_STATE.test(name)) this.#tidy(() => rmSync(join(folder, name), { force: true }));
    const path = join(folder, STATE_FILE);
    if (!existsSync(path)) return false;
    try {
      this.#counts = readState(path, this.#adam, this.#published);
      this.#judgedAt = this.#counts.step;
      return true;
    } catch (error) {
      const aside = `${path}.old`;
      const { message } = error as Error;
      this.emit('warning', {
        message: `${message}; adaptation starts from the model anew, that state becomes ${aside}`,
      });
      this.#tidy(() => renameSync(path, aside));
      return false;
    }
  }

  /** On a disk that has become read-only there is a warning, and learning goes on. */
  #tidy(change: () => void): void {
    try {
      change();
    } catch (error) {
      this.emit('warning', { message: (error as Error).message });
    }
  }

  dispose(): void {
    for (const { network } of [this.#learning, this.#reference]) network.dispose();
    this.removeAllListeners();
  }

  get #state(): LearnerState {
    if (this.#counts.pausedBecause !== undefined) return 'paused';
    if (this.#missing()) return 'waiting';
    return this.#judging ? 'candidate' : 'learning';
  }

  #missing(): string | undefined {
    if (this.#buffer.count('source') > 0 && this.#buffer.count('judged-source') > 0) return undefined;
    return 'no source frames: without them nothing shows what is forgotten';
  }

  #newAdam(): FlatAdam {
    const { clipNorm, emaDecay } = this.#options;
    return new FlatAdam(this.#learning.variables, { ...defaultAdam, clipNorm, emaDecay });
  }

  #learn(): Pick<StepReport, 'loss' | 'losses'> | undefined {
    const online = this.#nextOnline();
    if (!online) return undefined;
    const { step } = this.#counts;
    const { danger, ...report } = learnStep(this.#learning, this.#adam, online, this.#buffer, this.#options, step);
    this.#counts.step++;
    this.#losses = report.losses;
    if (danger) this.#rollBack(danger);
    return report;
  }

  /** The newest triplet, or the last one while it is to be learned from again. Every judgedEvery-th is kept for judging. */
  #nextOnline(): KeptTriplet | undefined {
    while (this.#pending) {
      const triplet = this.#pending;
      this.#pending = undefined;
      const { judgedEvery, judgedPlace, maxSimilarity } = this.#options;
      if (this.#counts.taken++ % judgedEvery === 0) {
        this.#buffer.addInTurn('judged-place', keepJudged(this.#reference, triplet, 'place'), judgedPlace);
        continue;
      }
      const sample = keepTriplet(this.#reference, triplet);
      this.#buffer.addDiverse(sample, maxSimilarity);
      this.#online = { sample, steps: 0 };
    }
    if (!this.#online || this.#online.steps >= this.#options.stepsPerTriplet) return undefined;
    this.#online.steps++;
    return this.#online.sample;
  }

  /** Puts a candidate aside every judgeEvery steps; it is judged once enough triplets of the place have come after it. */
  #dueJudgement(): RunningJudgement | undefined {
    const { judgeEvery, leastJudged, judgedPlace } = this.#options;
    const place = this.#buffer.of('judged-place');
    if (!this.#candidate && this.#counts.step - this.#judgedAt >= judgeEvery) {
      const weights = new Map(this.#adam.slots.map(({ name, average }) => [name, average.slice()]));
      this.#candidate = { weights, known: new WeakSet(place) };
    }
    if (!this.#candidate) return undefined;
    const { weights, known } = this.#candidate;
    const fresh = place.filter((kept) => !known.has(kept));
    if (fresh.length < Math.min(leastJudged, judgedPlace)) return undefined;
    const judged = [...fresh, ...this.#buffer.of('judged-source')].filter(isJudged);
    return new RunningJudgement(judged, weights, this.#published.weights, (set, triplets) =>
      this.#learning.withWeights(set, () => triplets.map((kept) => measureKept(this.#learning, kept).figures)),
    );
  }

  #judgePart(judging: RunningJudgement): Pick<StepReport, 'judgement'> {
    const outcome = judging.advance(this.#options);
    if (!outcome) return {};
    const { judgement, dangers } = outcome;
    this.#forgetCandidate();
    this.#judgedAt = this.#counts.step;
    this.#lastJudgement = judgement;
    if (judgement.verdict === 'promoted') {
      this.#counts.streak = 0;
      this.emit('promoted', this.#published.promote(judging.promote(), ++this.#counts.promoted));
    } else if (judgement.verdict === 'refused') this.#counts.refused++;
    // What is published is watched too: the place may have changed since it was promoted.
    if (dangers.length > 0 && judgement.verdict !== 'promoted') this.withdraw(`published: ${dangers.join('; ')}`);
    else if (judgement.verdict === 'rolled back') this.#rollBack(judgement.reasons.join('; '));
    return { judgement };
  }

  #forgetCandidate(): void {
    this.#candidate = undefined;
    this.#judging = undefined;
  }

  /** The learned weights go back to the published ones. */
  #rollBack(reason: string, update?: ModelUpdate): void {
    this.#learning.setWeights(this.#published.weights);
    this.#adam = this.#newAdam();
    this.#online = undefined;
    this.#forgetCandidate();
    this.#counts.rolledBack++;
    const streak = ++this.#counts.streak;
    const pause =
      streak >= this.#options.maxRollbacks
        ? `rolled back ${streak} times without a promotion, the last time because ${reason}`
        : undefined;
    this.#counts.pausedBecause = pause; // before anybody hears of it and saves
    this.emit('rolledBack', { reason, update });
    if (pause !== undefined) this.emit('paused', { reason: pause });
  }
}
