/** The metric scale of depth_node's maps, from the source that scale_source names. */
import { upperMedian } from '../geometry/statistics';
import { ScaleFilter, type Scale, type ScaleMeasurement } from '../odometry/scaleFilter';
import type { NavigationParameters } from './navigationParameters';
import type { SpeedAtTime, VehicleSpeed } from './vehicleSpeed';

/** Seconds that make one measurement: ways and heights of single frames are off by a quarter, and their neighbours alike. */
const BLOCK_SECONDS = 1;
/** Share of a block's time in which something was measured. */
const LEAST_SHARE = 0.5;
/** Relative standard deviation of a block's measurement. */
const BLOCK_SPREAD = 0.2;
const FIXED_SPREAD = 0.01;
/** Relative standard deviation of what camera_height measures however often: how far the road's depth is from what the motion says (14 and 22 % on KITTI, docs/benchmarks.md). */
const HEIGHT_SPREAD = 0.2;
/** m/s; what a wheel that stands may still say. */
const STANDING = 0.02;
/**
 * m/s by the images. A parked camera's are some mm/s (models/default.onnx at 10 images/s: 90 % under .015 m/s with a noise of 5 grey levels), unless its exposure
 * flickers; hand-held ones move by .2 and more.
 */
const STANDING_SEEN = 0.05;
/** rad/s. Parked, the images say a fifth of that at most; who turns at it has another scene before him after half a minute. */
const STILL = 0.02;
/** Seconds; what was before the camera in a longer pause nobody has seen. */
const LONGEST_GAP = 1;
/** As scale_band of the adaptation: relative change of the unit from one model to the next, which a fixed scale does not follow. */
const MODEL_SPREAD = 0.15;

/** What a frame offers to measure the scale by. */
export interface ScaleEvidence {
  /** Of the middle of the two frames, seconds. */
  readonly stamp: number;
  /** Since the frame before. */
  readonly seconds: number;
  /** The camera's way between two frames, in the model's unit, and its turn in radians; undefined where they are not known. */
  readonly way: { readonly length: number; readonly angle: number; readonly seconds: number } | undefined;
  /** Of the camera on the vehicle whose speed is known: metres, in its axes; undefined where it is not known, or the speed is the camera's own. */
  readonly lever?: ArrayLike<number>;
  /** Of the camera above the ground, in the model's unit; undefined where no ground is seen. */
  readonly groundHeight: number | undefined;
}

export class ScaleFollower {
  readonly #filter = new ScaleFilter();
  #scale: Scale = { scale: 1, variance: Infinity, known: false };
  #block = emptyBlock();
  #sinceMeasured = 0;
  #model = '';
  /** What fixed_scale was set to, and of which model that is. */
  #fixed: { readonly setting: unknown; readonly model: string } | undefined;

  constructor(
    private readonly parameters: Pick<
      NavigationParameters,
      'scaleSource' | 'fixedScale' | 'fixedScaleSetting' | 'cameraHeight' | 'leastSpeed'
    >,
    private readonly speed: Pick<VehicleSpeed, 'at'> | undefined,
  ) {}

  /** Metres per unit of the model, for the next frame. */
  get scale(): Scale {
    if (this.parameters.scaleSource !== 'fixed') return this.#scale;
    const { fixedScale } = this.parameters;
    const spread = this.isOfOtherModel ? Math.hypot(FIXED_SPREAD, MODEL_SPREAD) : FIXED_SPREAD;
    return { scale: fixedScale, variance: (spread * fixedScale) ** 2, known: true };
  }

  /** Whether fixed_scale was set when another model ran, and not since. */
  get isOfOtherModel(): boolean {
    if (this.parameters.scaleSource !== 'fixed' || !this.#fixed) return false;
    return this.#fixed.setting === this.#setting && this.#fixed.model !== this.#model;
  }

  get #setting(): unknown {
    return this.parameters.fixedScaleSetting ?? this.parameters.fixedScale;
  }

  /** Seconds since a measurement was last taken in. */
  get sinceMeasured(): number {
    return this.#sinceMeasured;
  }

  get needsMotion(): boolean {
    return this.parameters.scaleSource === 'velocity';
  }

  get needsGround(): boolean {
    return this.parameters.scaleSource === 'camera_height';
  }

  get counts(): { readonly accepted: number; readonly outliers: number; readonly restarts: number } {
    return this.#filter;
  }

  /**
   * Of the next frame, by its sha256. Another model has another unit, within what the guard of an adaptation lets it: farther off, and its measurements are
   * outliers that agree.
   */
  useModel(model: string): void {
    if (this.#fixed?.setting !== this.#setting) this.#fixed = { setting: this.#setting, model };
    if (model === this.#model) return;
    if (this.#model !== '') {
      this.#filter.loosen(MODEL_SPREAD);
      this.#block = emptyBlock();
    }
    this.#model = model;
  }

  add(evidence: ScaleEvidence): void {
    const { scaleSource } = this.parameters;
    if (scaleSource === 'none' || scaleSource === 'fixed') return;
    const speed = scaleSource === 'velocity' ? this.speed?.at(evidence.stamp, evidence.lever) : undefined;
    if (scaleSource === 'velocity') this.#addSpeed(speed?.speed, evidence);
    else this.#addHeight(evidence);
    this.#block.seconds += evidence.seconds;
    const measured = this.#block.seconds > BLOCK_SECONDS - 1e-6 ? this.#measurement() : undefined;
    const { accepted, restarts } = this.#filter;
    const { scale, variance, known } = this.#filter.next(
      this.#stands(speed, evidence) ? 0 : evidence.seconds,
      measured,
    );
    const lasting = scaleSource === 'camera_height' ? HEIGHT_SPREAD : 0;
    this.#scale = { scale, variance: variance + (lasting * scale) ** 2, known };
    const isTaken = this.#filter.accepted > accepted || this.#filter.restarts > restarts;
    this.#sinceMeasured = isTaken ? 0 : this.#sinceMeasured + evidence.seconds;
  }

  /** Who neither moves nor turns sees the same scene: nothing for the scale to wander with. */
  #stands(said: SpeedAtTime | undefined, { way, seconds }: ScaleEvidence): boolean {
    const seen = way && way.seconds > 0 ? way : undefined;
    const turns = [said?.turn, seen && seen.angle / seen.seconds].filter((turn) => turn !== undefined);
    if (seconds > LONGEST_GAP || turns.length === 0 || turns.some((turn) => turn >= STILL)) return false;
    if (said && said.speed < STANDING) return true;
    // Between that and what is measured by, a speed is as well noise of GNSS. The images' is by the very scale in question: they do not contradict one above.
    const isDriven = said !== undefined && said.speed >= this.parameters.leastSpeed;
    return !isDriven && seen !== undefined && (this.#scale.scale * seen.length) / seen.seconds < STANDING_SEEN;
  }

  #addSpeed(speed: number | undefined, { way }: ScaleEvidence): void {
    if (speed === undefined || speed < this.parameters.leastSpeed || !way || !(way.length > 0)) return;
    this.#block.metres += speed * way.seconds;
    this.#block.units += way.length;
    this.#block.measured += way.seconds;
  }

  #addHeight({ groundHeight, seconds }: ScaleEvidence): void {
    if (groundHeight === undefined) return;
    this.#block.heights.push(groundHeight);
    this.#block.measured += seconds;
  }

  /** Of the block, which is over. */
  #measurement(): ScaleMeasurement | undefined {
    const { metres, units, heights, measured, seconds } = this.#block;
    this.#block = emptyBlock();
    if (measured < LEAST_SHARE * seconds) return undefined;
    const height = upperMedian(heights);
    const scale = heights.length > 0 ? this.parameters.cameraHeight / height : metres / units;
    return { logScale: Math.log(scale), variance: BLOCK_SPREAD ** 2 };
  }
}

interface Block {
  seconds: number;
  /** Of them those in which something was measured. */
  measured: number;
  /** By the speed, and by the images. */
  metres: number;
  units: number;
  /** Of the camera above the ground, in the model's unit. */
  heights: number[];
}

const emptyBlock = (): Block => ({ seconds: 0, measured: 0, metres: 0, units: 0, heights: [] });
