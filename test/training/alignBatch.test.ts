/** The poses the photometric losses are given, on rendered pairs with their exact depth. */
import { fromVector6, inverse, toVector6 } from '../../src/geometry/se3';
import { alignBatch } from '../../src/training/alignBatch';
import { SyntheticScenes } from '../../src/training/datasets/synthetic';
import type { TrainingBatch } from '../../src/training/losses/loss';

const SIZE = { height: 96, width: 320 };

function pair(index: number) {
  const { images, depths, poses, intrinsics } = new SyntheticScenes(4).render(index, SIZE.height, SIZE.width, 2);
  const [previous, target] = images.map((image) => Float32Array.from(image, (level) => level / 255));
  const batch: TrainingBatch = { size: 1, ...SIZE, intrinsics: [intrinsics], previous, target, networkImages: target };
  return { batch, logDisparity: depths[1].map((z) => -Math.log(z)), pose: poses[0] };
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.hypot(...[0, 1, 2].map((i) => a[i] - b[i]));
const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

test.each([
  ['near the truth', (pose: ArrayLike<number>) => Float32Array.from(pose, (x) => 1.2 * x)],
  ['far out of the picture', () => Float32Array.of(0, 300, -1000, 0.4, 2, 0)],
])('an answer %s comes to the truth, from the earlier frame and from the later one', (_, answerFor) => {
  const errors: number[] = [];
  for (let index = 0; index < 7; index++) {
    const { batch, logDisparity, pose } = pair(index);
    const answer = Float32Array.from(answerFor(pose));
    const reversed = Float32Array.from(toVector6(inverse(fromVector6(answer))));
    const [earlier, later] = alignBatch(batch, logDisparity, [
      { images: batch.previous, poses: answer, later: false },
      { images: batch.previous, poses: reversed, later: true },
    ]);
    errors.push(distance(earlier, pose) / Math.hypot(pose[0], pose[1], pose[2]));
    expect(distance(toVector6(inverse(fromVector6(later))), earlier)).toBeLessThan(0.02);
  }
  expect(median(errors)).toBeLessThan(0.1);
});
