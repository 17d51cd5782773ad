/** Which layout a path has, and the data sets of this machine where they are there. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readDepthImage } from '../../../src/media/depthImage';
import { openDataSets } from '../../../src/training/data';
import { openRecording } from '../../../src/training/datasets/openRecording';
import { prepare } from '../../../src/training/datasets/prepare';
import { Random } from '../../../src/training/random';
import { readRecipe } from '../../../src/training/recipe';
import { makeKittiRaw, makeSevenScenes } from '../../support/layouts';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-recordings-'));
const cache = join(root, 'prepared');
const shared = resolve(process.env.DEPTHGRAD_SHARED_DATA ?? join(__dirname, '../../../../shared/data'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('what is no recording says what was looked for', async () => {
  const empty = join(root, 'empty');
  mkdirSync(empty);
  await expect(openRecording(empty)).rejects.toThrow(
    /empty: not a recording of any known layout\. Looked for:[^]*KITTI raw: image_02\/data[^]*TUM RGB-D: rgb\.txt[^]*\.mat/,
  );
  await expect(openRecording(join(root, 'nowhere'))).rejects.toThrow(/nowhere: no such file or folder/);
});

test('the prepare command and a recipe take the path of any layout', async () => {
  const before = process.env.DEPTHGRAD_CACHE;
  process.env.DEPTHGRAD_CACHE = join(root, 'cache');
  try {
    const drive = await makeKittiRaw(join(root, 'command'));
    const scene = await makeSevenScenes(join(root, 'command'));
    const command = ['dist/src/cli.js', 'prepare', drive, scene, '--width', '104'];
    const { stdout, stderr } = spawnSync('node', command, { encoding: 'utf8', env: process.env });
    expect({ lines: stdout.trim().split('\n'), stderr }).toEqual({
      stderr: '',
      lines: [
        expect.stringMatching(
          /3 frames of 104x64, trained on 2, 1 held out; depth of 2, right images of 3, baseline 0\.5400 m, poses of 3, speeds of 3$/,
        ),
        expect.stringMatching(/office_seq-02-.*: 3 frames of 104x80, .*; depth of 3, poses of 3$/),
      ],
    });
    const made = readdirSync(join(root, 'cache', 'prepared')).length;
    const recipe = readRecipe('config/recipes/quick.yaml');
    recipe.stages.forEach((stage) => (stage.mix = { drives: 1, synthetic: 0, measured: 0, unlabelled: 0 }));
    const longer = join(root, 'longer', 'image');
    mkdirSync(longer, { recursive: true });
    const source = readdirSync(join(drive, 'image_02', 'data')).sort();
    for (let i = 0; i < 8; i++)
      writeFileSync(join(longer, `${i}.png`), readFileSync(join(drive, 'image_02', 'data', source[i % source.length])));
    writeFileSync(
      join(longer, '..', 'calib.yaml'),
      'image_width: 100\nimage_height: 60\nfx: 100\nfy: 100\ncx: 50\ncy: 30\n',
    );
    recipe.data = { ...recipe.data, drives: [join(longer, '..')], strides: [1], min_motion: 0 };
    const { drives } = await openDataSets(recipe, new Random(1));
    const batch = drives?.next(2, 64, 96);
    expect(batch?.target.length).toBe(2 * 64 * 96 * 3);
    expect(readdirSync(join(root, 'cache', 'prepared')).length).toBe(made + 1);
  } finally {
    if (before === undefined) delete process.env.DEPTHGRAD_CACHE;
    else process.env.DEPTHGRAD_CACHE = before;
  }
});

const sharedTest = (name: string) => {
  const path = join(shared, name);
  if (!existsSync(path)) console.log(`not read by openRecording: no ${path}`);
  return existsSync(path) ? test : test.skip;
};

sharedTest('kitti_raw_0926_lidar')('KITTI raw frames cut down: depth as in the file', async () => {
  const folder = join(shared, 'kitti_raw_0926_lidar');
  const recording = await openRecording(folder);
  expect(recording.frameCount).toBe(78);
  const { depth: truth } = await readDepthImage(join(folder, 'depth', '000000.png'), 256);
  for await (const { depth, image } of recording.frames()) {
    expect(image.length).toBe(1242 * 375 * 3);
    expect(depth).toEqual(truth);
    break;
  }
});

sharedTest('7scenes_redkitchen_f000-699')(
  '7-Scenes frames cut down: every fifth has depth, all have poses',
  async () => {
    const recording = await openRecording(join(shared, '7scenes_redkitchen_f000-699'));
    expect(recording).toMatchObject({ frameCount: 700, framesPerSecond: 30 });
    let index = 0;
    for await (const { depth, pose } of recording.frames()) {
      expect(depth !== undefined).toBe(index % 5 === 0);
      if (index === 0) expect(pose?.translation[0]).toBeCloseTo(-0.34045634, 8);
      if (depth) expect(depth.reduce((a, b) => Math.max(a, b))).toBeLessThan(10);
      if (++index > 6) break;
    }
  },
);

sharedTest('kitti_odo01_stereo_f000-050')('KITTI odometry stereo cut down: prepared with its pair', async () => {
  const drive = await prepare(await openRecording(join(shared, 'kitti_odo01_stereo_f000-050')), cache, {
    width: 208,
    progress: false,
  });
  expect(drive).toMatchObject({ count: 51, baseline: 0.537166, width: 208, height: 64 });
  expect(drive.right?.count).toBe(51);
  expect(drive.poses?.[1]?.translation[2]).toBeCloseTo(1.000725, 6);
  drive.close();
});
