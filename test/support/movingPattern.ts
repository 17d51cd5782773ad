import type { BatchSource } from '../../src/training/batches/batchSource';
import type { TrainingBatch } from '../../src/training/losses/loss';
import type { Random } from '../../src/training/random';

/** A picture that moves by a pixel from frame to frame, drawn from the run's own random numbers as the real sources do. */
export class MovingPattern implements BatchSource {
  constructor(private readonly random: Random) {}

  next(count: number, height: number, width: number): TrainingBatch {
    const phase = this.random.between(0, 6);
    const frame = (shift: number): Float32Array =>
      Float32Array.from({ length: count * height * width * 3 }, (_, i) => {
        const u = Math.floor(i / 3) % width;
        const v = Math.floor(i / 3 / width);
        return 0.5 + 0.3 * Math.sin(0.4 * (u + shift) + 0.3 * v + phase) + 0.1 * Math.sin(i);
      });
    const [previous, target, next] = [-1, 0, 1].map(frame);
    const networkImages = Float32Array.from([...previous, ...target, ...next]);
    const intrinsics = Array.from({ length: count }, () => ({
      width,
      height,
      fx: 50,
      fy: 50,
      cx: width / 2,
      cy: height / 2,
    }));
    return { size: count, height, width, intrinsics, previous, target, next, networkImages };
  }
}
