/**
 * The metric scale of a monocular depth map, followed over time: metres per unit of the map, measured now and then with noise and slips.
 *
 * A Kalman filter on the scale's logarithm, since errors are relative: state x = ln(scale), variance P; P grows by `drift`^2 per second, for the
 * network's own scale wanders with the scene, up to `wander`^2, for it is taken to come back: a model's unit belongs to its weights, and
 * hours change it no more than minutes do. Another model may take P beyond. A measurement farther off than `gate` standard deviations is an outlier; many in a row that agree with
 * each other are a scale that has changed (another model, another scene), and start the filter anew.
 */
import { upperMedian } from '../geometry/statistics';

export interface ScaleFilterOptions {
  /** Standard deviation by which the true ln(scale) wanders in one second. */
  readonly drift: number;
  /**
   * Standard deviation of ln(scale) that time alone ends at. Below the .5 from which points wait: once measured they do not stop for nothing but a long
   * time parked. The gate is at its widest there: of measurements with a spread of .2 those within a factor of 3.8 pass. A slip that does is outweighed
   * by those after it, or is the outlier to them and they start the filter anew; the published scale has followed it for some seconds by small steps.
   */
  readonly wander: number;
  /** Standard deviations from which a measurement is an outlier. */
  readonly gate: number;
  /** Outliers in a row after which the filter starts anew from them. */
  readonly outliersToRestart: number;
  /** Measurements before the scale is called known. */
  readonly leastMeasurements: number;
  /** Largest relative change of the published scale per frame. */
  readonly largestStep: number;
}

export const defaultScaleFilter: ScaleFilterOptions = {
  drift: 0.03,
  wander: 0.4,
  gate: 3,
  outliersToRestart: 4,
  leastMeasurements: 2,
  largestStep: 0.005,
};

export interface ScaleMeasurement {
  /** ln(metres per unit). */
  readonly logScale: number;
  /** Of logScale. */
  readonly variance: number;
}

export interface Scale {
  /** Metres per unit of the depth map; 1 while unknown. */
  readonly scale: number;
  /** Of `scale`; Infinity while unknown. */
  readonly variance: number;
  readonly known: boolean;
}

const UNKNOWN: Scale = { scale: 1, variance: Infinity, known: false };

export class ScaleFilter {
  accepted = 0;
  outliers = 0;
  restarts = 0;
  readonly #options: ScaleFilterOptions;
  #x = 0;
  #p = Infinity;
  #since = 0;
  /** ln of the published scale, which follows x in small steps. */
  #shown: number | undefined;
  #slipped: ScaleMeasurement[] = [];

  constructor(options: Partial<ScaleFilterOptions> = {}) {
    this.#options = { ...defaultScaleFilter, ...options };
  }

  /**
   * The next frame: time passes, and what was measured of it, if anything, is taken in.
   *
   * @param seconds since the frame before
   * @returns the scale to use for this frame
   */
  next(seconds: number, measured?: ScaleMeasurement): Scale {
    const { drift, wander, leastMeasurements } = this.#options;
    if (this.#p < wander ** 2) this.#p = Math.min(wander ** 2, this.#p + drift ** 2 * Math.max(0, seconds));
    if (measured && Number.isFinite(measured.logScale) && measured.variance > 0) this.#take(measured);
    if (this.#since < leastMeasurements) return UNKNOWN;
    this.#shown = this.#shown === undefined ? this.#x : this.#shown + this.#step(this.#x - this.#shown);
    const scale = Math.exp(this.#shown);
    // What the shown scale lags behind is uncertainty, too.
    return { scale, variance: scale * scale * (this.#p + (this.#x - this.#shown) ** 2), known: true };
  }

  /** The true scale may have changed by so much, relative. */
  loosen(spread: number): void {
    this.#p += spread * spread;
  }

  #take(measured: ScaleMeasurement): void {
    const { gate, outliersToRestart } = this.#options;
    const innovation = measured.logScale - this.#x;
    const variance = this.#p + measured.variance;
    if (Number.isFinite(this.#p) && Math.abs(innovation) > gate * Math.sqrt(variance)) {
      this.outliers++;
      this.#slipped = [...this.#slipped, measured].slice(-outliersToRestart);
      if (this.#slipped.length === outliersToRestart && this.#agree(this.#slipped)) this.#restart(this.#slipped);
      return;
    }
    this.accepted++;
    this.#since++;
    this.#slipped = [];
    if (!Number.isFinite(this.#p)) {
      this.#x = measured.logScale;
      this.#p = measured.variance;
      return;
    }
    const gain = this.#p / variance;
    this.#x += gain * innovation;
    this.#p *= 1 - gain;
  }

  #agree(slipped: readonly ScaleMeasurement[]): boolean {
    const middle = median(slipped);
    const near = slipped.filter(
      ({ logScale, variance }) => Math.abs(logScale - middle) <= this.#options.gate * Math.sqrt(variance),
    );
    return near.length >= 0.8 * slipped.length;
  }

  /** The shown scale goes there step by step: a pose that is integrated with it never jumps. */
  #restart(slipped: readonly ScaleMeasurement[]): void {
    this.restarts++;
    this.#x = median(slipped);
    this.#p = slipped[slipped.length - 1].variance;
    this.#slipped = [];
  }

  #step(wanted: number): number {
    const { largestStep } = this.#options;
    return Math.max(-largestStep, Math.min(largestStep, wanted));
  }
}

function median(measured: readonly ScaleMeasurement[]): number {
  return upperMedian(measured.map(({ logScale }) => logScale));
}
