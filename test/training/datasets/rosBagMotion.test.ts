/** Speeds and poses of a bag that is a recording. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRosBag } from '../../../src/training/datasets/rosBag';
import { odometryMessage, staticTransformsMessage, twistMessage, type WrittenMessage } from '../../support/bagWriter';
import { bagsIn, framesOf, image, info } from '../../support/smallBags';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-rosbag-'));
const bag = bagsIn(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('speed', () => {
  test('comes from the samples on both sides, is not stretched over gaps, and may come late', async () => {
    const path = await bag([
      info(),
      image(1),
      twistMessage('/v', 1.2, 2, 1.9),
      image(1.3),
      twistMessage('/v', 1.4, 4, 2.1),
      image(2),
      twistMessage('/v', 2.6, 9),
      image(2.6),
      image(3),
    ]);
    const { read } = await framesOf(path);
    expect(read.map(({ stamp, speed }) => [stamp, speed])).toEqual([
      [1, undefined],
      [1.3, expect.closeTo(3, 6)],
      [2, undefined], // 1.2 s between the samples
      [2.6, 9],
      [3, undefined],
    ]);
  });

  test('a speed that never comes does not hold the images back for ever', async () => {
    const late = Array.from({ length: 60 }, (_, i) => image(1 + 0.1 * i));
    const path = await bag([twistMessage('/v', 0.5, 1), info(), ...late]);
    const recording = await openRosBag(path);
    let count = 0;
    for await (const { speed } of recording.frames()) {
      expect(speed).toBeUndefined();
      if (++count === 3) break; // leaving early is allowed, too
    }
    await recording.close();
    expect((await framesOf(path)).read.length).toBe(60);
  });
});

describe('poses of odometry', () => {
  /** REP 103: an optical frame looks along its z, which is x of the body it is mounted on. */
  const OPTICAL = [-0.5, 0.5, -0.5, 0.5];
  const UPRIGHT = [0, 0, 0, 1];
  // The camera's own body lies 2 m ahead of the base and 1.5 m above it; the base is named by another sensor's branch, too.
  const mounted = staticTransformsMessage(0.9, [
    ['base_link', 'mast', [2, 0, 1], UPRIGHT],
    ['mast', 'camera_body', [0, 0, 0.5], UPRIGHT],
    ['/camera_body', 'camera', [0, 0, 0], OPTICAL],
    ['base_link', 'lidar', [1, 1, 1], UPRIGHT],
  ]);
  const drive = [
    odometryMessage('/odom', 1, [10, 0, 0], 0),
    odometryMessage('/odom', 1.5, [10, 4, 0], Math.PI / 2),
    odometryMessage('/odom', 2, [10, 8, 0], Math.PI / 2),
  ];
  const rounded = (values: Iterable<number> = []) => Array.from(values, (x) => Math.round(1e6 * x) / 1e6 + 0);

  test('are the camera’s, where /tf_static says how it is mounted', async () => {
    const path = await bag([mounted, info(), image(1), image(1.25), image(1.5), image(2.1), ...drive]);
    const { read, recording } = await framesOf(path);
    expect(read.map(({ pose }) => pose !== undefined)).toEqual([true, true, true, false]);
    expect(read[0].speed).toBeCloseTo(3, 9);
    // Heading along the world's x: right is -y, down is -z, ahead is x. Columns of the rotation are those.
    expect(rounded(read[0].pose?.translation)).toEqual([12, 0, 1.5]);
    expect(rounded(read[0].pose?.rotation)).toEqual([0, 0, 1, -1, 0, 0, 0, -1, 0]);
    // A quarter turn to the left: right is x, ahead is y.
    expect(rounded(read[2].pose?.translation)).toEqual([10, 6, 1.5]);
    expect(rounded(read[2].pose?.rotation)).toEqual([1, 0, 0, 0, 0, 1, 0, -1, 0]);
    // Half way between the two, looking along the diagonal.
    expect(rounded(read[1].pose?.translation)).toEqual([11, 3, 1.5]);
    const half = Math.SQRT1_2;
    expect(rounded(read[1].pose?.rotation)).toEqual(rounded([half, 0, half, -half, 0, half, 0, -1, 0]));
    expect(recording.variant).toMatch(/ poses$/);
  });

  test('of a sensor elsewhere on the robot reach the camera through what both hang on', async () => {
    const lidar = drive.map((written) => ({ ...written, message: { ...written.message, child_frame_id: 'lidar' } }));
    const { read } = await framesOf(await bag([mounted, info(), image(1), image(2), ...lidar]));
    expect(rounded(read[0].pose?.translation)).toEqual([11, -1, 0.5]);
  });

  const zeros = { pose: { position: { x: 0, y: 0, z: 0 }, orientation: { x: 0, y: 0, z: 0, w: 0 } } };
  test.each<[string, WrittenMessage[]]>([
    ['no /tf_static', drive],
    [
      'a camera that hangs on nothing',
      [staticTransformsMessage(0.9, [['base_link', 'mast', [2, 0, 1], UPRIGHT]]), ...drive],
    ],
    [
      'a circle',
      [
        staticTransformsMessage(0.9, [
          ['camera', 'mast', [1, 0, 0], UPRIGHT],
          ['mast', 'camera', [1, 0, 0], UPRIGHT],
        ]),
        ...drive,
      ],
    ],
    [
      'odometry of speed alone',
      [
        mounted,
        ...drive.map((written) => ({
          ...written,
          message: { ...written.message, pose: { ...zeros, covariance: new Float64Array(36) } },
        })),
      ],
    ],
  ])('are left out, and the speed is not, with %s', async (_, messages) => {
    const { read } = await framesOf(await bag([...messages, info(), image(1), image(2)]));
    expect(read.map(({ pose, speed }) => [pose, speed])).toEqual([
      [undefined, 3],
      [undefined, 3],
    ]);
  });
});
