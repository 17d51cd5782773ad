/** evo is the referee; scripts/fixtures/make_trajectory_fixtures.py wrote its answers. The rest is what one can work out by hand. */
import fixtures from '../../fixtures/trajectory/evo.json';
import { compose, fromVector6, inverse, type Se3 } from '../../../src/geometry/se3';
import {
  absoluteError,
  chainEgoMotions,
  compareTrajectories,
  distancesAlong,
  fromFirstPose,
  KITTI_LENGTHS,
  relativeErrors,
  segmentErrors,
  snippetError,
} from '../../../src/training/evaluation/trajectory';
import { alignPaths, applySimilarity, type AlignmentKind } from '../../../src/training/evaluation/umeyama';

const poses = (vectors: readonly (readonly number[])[]): Se3[] => vectors.map((vector) => fromVector6(vector));
const at = (x: number, y: number, z: number): Se3 => fromVector6([x, y, z, 0, 0, 0]);

/** A bend with a hill in it, so that all three axes vary. */
const BEND = chainEgoMotions(Array.from({ length: 30 }, (_, i) => [0, 0.1 * Math.sin(i), 1, 0, 0.05, 0.01]));

function scaled(path: readonly Se3[], factor: number): Se3[] {
  return path.map(({ rotation, translation }) => ({ rotation, translation: translation.map((x) => factor * x) }));
}

describe.each(Object.entries(fixtures.cases))('evo agrees: %s', (_name, expected) => {
  const truth = poses(expected.truth);
  const estimated = poses(expected.estimated);
  const { errors } = compareTrajectories(estimated, truth);

  function expectClose(pairs: readonly (readonly [number | undefined, number])[]): void {
    for (const [own, evo] of pairs) expect(Math.abs((own ?? NaN) - evo)).toBeLessThan(1e-6);
  }

  test('absolute errors after Sim(3), SE(3) and scale alignment', () => {
    expectClose([
      [errors.scale, expected.scale],
      [errors.path_length_m, expected.path_length],
      [errors.ate_sim3_rmse_m, expected.ate.sim3],
      [errors.ate_se3_rmse_m, expected.ate.se3],
      [errors.ate_scale_rmse_m, expected.ate.scale],
    ]);
  });

  test('relative errors from frame to frame', () => {
    expectClose([
      [errors.rpe_translation_rmse_m, expected.rpe_translation.rmse],
      [errors.rpe_translation_mean_m, expected.rpe_translation.mean],
      [errors.rpe_rotation_rmse_deg, expected.rpe_rotation_deg.rmse],
      [errors.rpe_rotation_mean_deg, expected.rpe_rotation_deg.mean],
    ]);
    const metric = compareTrajectories(estimated, truth, { scale: 'metric', lengths: KITTI_LENGTHS }).errors;
    expectClose([
      [metric.rpe_translation_rmse_m, expected.rpe_translation_metric.rmse],
      [metric.rpe_translation_mean_m, expected.rpe_translation_metric.mean],
    ]);
  });

  test('drift over KITTI’s segments', () => {
    const [segments, percent, degrees] = expected.segments.all;
    expectClose([
      [errors.drift_percent, percent],
      [errors.drift_deg_per_100m, degrees],
    ]);
    expect(errors.drift_by_length?.reduce((sum, row) => sum + row.segments, 0)).toBe(segments);
    expect(errors.drift_by_length).toHaveLength(expected.segments.by_length.length);
    errors.drift_by_length?.forEach((row, i) => {
      const [length, count, rowPercent, rowDegrees] = expected.segments.by_length[i];
      expect([row.length_m, row.segments]).toEqual([length, count]);
      expectClose([
        [row.translation_percent, rowPercent],
        [row.rotation_deg_per_100m, rowDegrees],
      ]);
    });
  });

  test('snippets in SfMLearner’s form, which is sqrt(5) smaller than evo’s root mean square', () => {
    expectClose([
      [Math.sqrt(5) * (errors.snippet_ate_mean_m ?? NaN), expected.snippets.rmse_mean],
      [Math.sqrt(5) * (errors.snippet_ate_std_m ?? NaN), expected.snippets.rmse_std],
    ]);
  });
});

test('the fixtures say which evo answered', () => {
  expect(fixtures.evo).toMatch(/^v?1\.\d+/);
});

test('ego-motions are chained from the identity, each in the frame before', () => {
  // Ahead, a quarter turn to the right (about y, which points down), ahead again.
  const [start, turned, end] = chainEgoMotions([
    [0, 0, 2, 0, Math.PI / 2, 0],
    [0, 0, 3, 0, 0, 0],
  ]);
  expect([...start.translation]).toEqual([0, 0, 0]);
  expect([...turned.translation]).toEqual([0, 0, 2]);
  [3, 0, 2].forEach((value, k) => expect(end.translation[k]).toBeCloseTo(value, 12));
  expect([...distancesAlong([start, turned, end])].map((metres) => Math.round(1e9 * metres) / 1e9)).toEqual([0, 2, 5]);
});

test('a path that is right but for scale, place and direction has no error, and the scale comes out', () => {
  const elsewhere = fromVector6([5, -7, 3, 0.4, -1.2, 0.8]);
  const estimated = scaled(BEND, 0.25).map((pose) => compose(elsewhere, pose));
  const { errors } = compareTrajectories(estimated, BEND);
  expect(errors.scale).toBeCloseTo(4, 9);
  expect(errors.ate_sim3_rmse_m).toBeLessThan(1e-9);
  expect(errors.ate_scale_rmse_m).toBeLessThan(1e-9);
  expect(errors.rpe_translation_rmse_m).toBeLessThan(1e-9);
  expect(errors.rpe_rotation_rmse_deg).toBeLessThan(1e-5);
  expect(errors.snippet_ate_mean_m).toBeLessThan(1e-9);
  // Three quarters of the spread about the mean remain where the scale may not change.
  const middle = [0, 1, 2].map((k) => BEND.reduce((sum, { translation }) => sum + translation[k] / BEND.length, 0));
  const centred = Math.sqrt(
    BEND.reduce((sum, { translation: t }) => sum + t.reduce((s, x, k) => s + (x - middle[k]) ** 2, 0), 0) / BEND.length,
  );
  expect(errors.ate_se3_rmse_m).toBeCloseTo(0.75 * centred, 9);
  // Taken as metres, each step of a metre and a bit lacks three quarters.
  const metric = compareTrajectories(estimated, BEND, { scale: 'metric', lengths: [10] }).errors;
  const steps = distancesAlong(BEND)
    .slice(1)
    .map((along, i) => along - distancesAlong(BEND)[i]);
  expect(metric.rpe_translation_mean_m).toBeCloseTo((0.75 * steps.reduce((a, b) => a + b)) / steps.length, 9);
});

test('a known rotation in every motion is the rotation error', () => {
  const angle = 0.3;
  const estimated = chainEgoMotions(
    BEND.slice(1).map((pose, i) => {
      const motion = compose(inverse(BEND[i]), pose);
      const off = compose(motion, fromVector6([0, 0, 0, 0, (angle * Math.PI) / 180, 0]));
      return [...off.translation, ...axisAngle(off)];
    }),
  );
  const errors = relativeErrors(estimated, BEND);
  expect(errors.rpe_rotation_rmse_deg).toBeCloseTo(angle, 9);
  expect(errors.rpe_rotation_mean_deg).toBeCloseTo(angle, 9);
  expect(errors.rpe_translation_rmse_m).toBeLessThan(1e-9);
});

function axisAngle({ rotation: r }: Se3): number[] {
  const angle = Math.acos((r[0] + r[4] + r[8] - 1) / 2);
  return [r[7] - r[5], r[2] - r[6], r[3] - r[1]].map((x) => (x * angle) / (2 * Math.sin(angle)));
}

describe('a straight line, whose rotation about itself is not determined', () => {
  const truth = [0, 1, 2, 3, 4, 5].map((z) => at(0, 0, z));

  test('is aligned all the same', () => {
    // Along x in half the scale, one pose 0.3 units beside the line.
    const estimated = [0, 1, 2, 3, 4, 5].map((i) => at(0.5 * i, 0, 0));
    const { errors } = compareTrajectories(estimated, truth);
    expect(errors.scale).toBeCloseTo(2, 9);
    expect(errors.ate_sim3_rmse_m).toBeLessThan(1e-9);
    expect(errors.path_length_m).toBe(5);
  });

  test('keeps a rotation a rotation', () => {
    const { motion } = alignPaths(
      truth.map(({ translation }) => at(translation[2], 0, 0)),
      truth,
      'se3',
    );
    const r = motion.rotation;
    const determinant =
      r[0] * (r[4] * r[8] - r[5] * r[7]) - r[1] * (r[3] * r[8] - r[5] * r[6]) + r[2] * (r[3] * r[7] - r[4] * r[6]);
    expect(determinant).toBeCloseTo(1, 9);
  });

  test('an error along the line is seen in full', () => {
    // 0, 1, 3 against 0, 1, 2: scale 9/14 and mean 4/3 give residuals 1/7, -3/14, 1/14... squared and averaged 1/42.
    const { errors } = compareTrajectories([at(0, 0, 0), at(0, 0, 1), at(0, 0, 3)], truth.slice(0, 3));
    expect(errors.scale).toBeCloseTo(9 / 14, 12);
    expect(errors.ate_sim3_rmse_m).toBeCloseTo(Math.sqrt(1 / 42), 12);
  });
});

test.each<[AlignmentKind]>([['sim3'], ['se3'], ['scale']])('a path that stays in one place is named: %s', (kind) => {
  const still = BEND.map(() => at(0.1, 200.3, 1e-3));
  expect(() => alignPaths(still, BEND, kind)).toThrow(/the estimated path stays in one place/);
  expect(() => alignPaths(BEND, still, kind)).toThrow(/the true path stays in one place/);
  expect(() => alignPaths(BEND.slice(1), BEND, kind)).toThrow(/30 estimated and 31 true poses/);
});

test('a mirrored path is not mirrored back', () => {
  const mirror = BEND.map(({ rotation, translation: [x, y, z] }) => ({
    rotation,
    translation: Float64Array.of(-x, y, z),
  }));
  const similarity = alignPaths(mirror, BEND, 'sim3');
  const aligned = mirror.map((pose) => applySimilarity(similarity, pose));
  expect(absoluteError(aligned, BEND)).toBeGreaterThan(0.01);
});

describe('snippets by hand', () => {
  const truth = [0, 1, 2, 3, 4].map((z) => at(0, 0, z));

  test('one pose 0.1 beside the line', () => {
    const estimated = [0, 1, 2, 3, 4].map((z) => at(z === 2 ? 0.1 : 0, 0, z));
    // Scale 30 / 30.01; what remains is 0.01 s^2 beside the line, and 30 (1 - s)^2 along it.
    const scale = 30 / 30.01;
    const expected = Math.sqrt(0.01 * scale ** 2 + 30 * (1 - scale) ** 2) / 5;
    expect(snippetError(estimated, truth)).toBeCloseTo(expected, 12);
  });

  test('an estimate that stands still has the whole path as its error, a camera at rest none', () => {
    const still = truth.map(() => at(0, 0, 0));
    expect(snippetError(still, truth)).toBeCloseTo(Math.sqrt(30) / 5, 12);
    expect(snippetError(truth, still)).toBe(0);
  });

  test('the first poses decide the directions', () => {
    const elsewhere = fromVector6([1, 2, 3, 0.5, 0.1, -0.7]);
    expect(
      snippetError(
        truth.map((pose) => compose(elsewhere, pose)),
        truth,
      ),
    ).toBeLessThan(1e-9);
  });
});

describe('drift over segments', () => {
  const truth = chainEgoMotions(Array.from({ length: 40 }, () => [0, 0, 1, 0, 0, 0]));

  test('5 % too long is 5 % of what the segment has, a frame more than its length', () => {
    const drift = segmentErrors(scaled(truth, 1.05), truth, [10, 30, 1000]);
    // From 0, 10, 20 the tenth metre is passed at frame 11; from 30 it would be at frame 41, which is not there.
    expect(drift?.byLength.map(({ length_m, segments }) => [length_m, segments])).toEqual([
      [10, 3],
      [30, 1],
    ]);
    expect(drift?.byLength[0].translation_percent).toBeCloseTo((5 * 11) / 10, 9);
    expect(drift?.byLength[1].translation_percent).toBeCloseTo((5 * 31) / 30, 9);
    expect(drift?.all.segments).toBe(4);
    expect(drift?.all.rotation_deg_per_100m).toBeCloseTo(0, 9);
  });

  test('a turn of 0.1 degrees a metre', () => {
    const turning = chainEgoMotions(Array.from({ length: 40 }, () => [0, 0, 1, 0, Math.PI / 1800, 0]));
    const drift = segmentErrors(turning, truth, [10]);
    expect(drift?.all.rotation_deg_per_100m).toBeCloseTo((100 * 0.1 * 11) / 10, 9);
  });

  test('a path shorter than every length has none', () => {
    expect(segmentErrors(truth, truth)).toBeUndefined();
    expect(compareTrajectories(truth, truth).errors).not.toHaveProperty('drift_percent');
  });
});

test('frames without a true pose are left out, and no motion or snippet spans them', () => {
  const truth: (Se3 | undefined)[] = [...BEND];
  truth[0] = undefined;
  truth[12] = undefined;
  // The estimate is nonsense just where nothing is known.
  const estimated = BEND.map((pose, i) => (i === 0 || i === 12 ? at(100, 100, 100) : pose));
  const { errors, truth: compared } = compareTrajectories(estimated, truth);
  expect(errors.frames).toBe(29);
  expect(compared).toHaveLength(29);
  expect(errors.ate_sim3_rmse_m).toBeLessThan(1e-9);
  expect(errors.rpe_translation_rmse_m).toBeLessThan(1e-9);
  expect(() =>
    compareTrajectories(
      BEND,
      BEND.map((pose, i) => (i === 3 ? pose : undefined)),
    ),
  ).toThrow(/1 of 31 frames have a true pose/);
  const short = compareTrajectories(BEND.slice(0, 4), BEND.slice(0, 4)).errors;
  expect(short).not.toHaveProperty('snippet_ate_mean_m');
});

test('fromFirstPose puts the first pose to the identity and keeps the motions', () => {
  const moved = fromFirstPose(BEND.slice(5));
  expect(moved[0].translation.every((x) => Math.abs(x) < 1e-12)).toBe(true);
  expect(relativeErrors(moved, BEND.slice(5)).rpe_translation_rmse_m).toBeLessThan(1e-12);
});
