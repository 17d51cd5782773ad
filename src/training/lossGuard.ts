/** Notices a loss that is not a number or has exploded. */

/** Steps whose mean loss is a stage's starting level. */
const LEVEL_STEPS = 10;
/** Starting levels below this count as this: a student that starts as its teacher's copy starts with a loss of 0. */
const LEAST_LEVEL = 1;

/** Sum and count of a stage's first losses, by stage and data set; part of the checkpoint. */
export type LossLevels = Record<string, { sum: number; count: number }>;

export class LossGuard {
  /**
   * @param factor a loss this many times its starting level has exploded. Measured against the start, not against the last steps:
   *   a slow explosion drags those along, and a loss that has come down to nothing may well go up again by a factor.
   */
  constructor(
    private readonly factor: number,
    readonly levels: LossLevels = {},
  ) {}

  /** @returns what is wrong with the step, or undefined */
  check(stage: string, dataSet: string, loss: number): string | undefined {
    if (!Number.isFinite(loss)) return `the loss is ${loss}`;
    const key = `${stage}/${dataSet}`;
    const level = (this.levels[key] ??= { sum: 0, count: 0 });
    const limit = this.factor * Math.max(LEAST_LEVEL, level.sum / Math.max(1, level.count));
    if (Math.abs(loss) > limit)
      return `the loss is ${loss}, more than optimizer.explosion_factor (${this.factor}) times its level at the stage's start`;
    if (level.count < LEVEL_STEPS) {
      level.sum += Math.abs(loss);
      level.count++;
    }
    return undefined;
  }
}
