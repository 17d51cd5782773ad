/** What `depthgrad` says to input it cannot use: the file or field, and what to do. Runs the compiled program: builds on dist/. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePictureFolder } from '../support/layouts';
import { Program } from '../support/program';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-bad-'));
const cacheBefore = process.env.DEPTHGRAD_CACHE;
const recipe = join(root, 'tiny.yaml');
const run = join(root, 'run');
const checkpoint = join(run, 'checkpoint.safetensors');
const text = (encoder: string, losses = '{ photometric: 1 }'): string => `name: tiny
description: two steps
network: { encoder: ${encoder}, pretrained: false, height: 32, width: 64 }
data: { drives: [${join(root, 'cut_down')}] }
validation: { every: 0 }
stages:
  - { name: only, steps: 2, height: 32, width: 64, batch_size: 1, learning_rate: 1.0e-4, align_poses: false, mix: { drives: 1 }, losses: ${losses} }
`;

/** Its message, on one line, after it has failed. */
async function refused(...args: string[]): Promise<string> {
  const { code, errors } = await new Program('src/cli.js', args).ended;
  expect(code).toBe(1);
  return errors.replace(/\s+/g, ' ');
}

beforeAll(async () => {
  process.env.DEPTHGRAD_CACHE = join(root, 'cache');
  // Two copies in a row: three pictures are too few for a triplet in the first four fifths.
  const folder = await makePictureFolder(root);
  const pictures = [0, 1, 2].map((i) => readFileSync(join(folder, 'image_left', `${i}.png`)));
  for (let i = 3; i < 10; i++) writeFileSync(join(folder, 'image_left', `${i}.png`), pictures[i % 3]);
  rmSync(join(folder, 'poses_kitti.txt'));
  writeFileSync(recipe, text('lite0'));
  const { code, errors } = await new Program('src/cli.js', ['train', recipe, '--out', run]).ended;
  expect({ code, failed: code !== 0 && errors }).toEqual({ code: 0, failed: false });
});
afterAll(() => {
  if (cacheBefore === undefined) delete process.env.DEPTHGRAD_CACHE;
  else process.env.DEPTHGRAD_CACHE = cacheBefore;
  rmSync(root, { recursive: true, force: true });
});

test('a run folder of another network is refused at once, and left as it is', async () => {
  const other = join(root, 'other.yaml');
  writeFileSync(other, text('dispnet'));
  expect(await refused('train', other, '--out', run)).toMatch(
    /checkpoint\.safetensors is of another network: it has no "encoder\/.*name another --out folder, or remove the file/,
  );
  expect(readFileSync(join(run, 'recipe.yaml'), 'utf8')).toBe(text('lite0'));
});

test('a recipe says where it is wrong', async () => {
  const wrong = join(root, 'wrong.yaml');
  writeFileSync(wrong, text('lite0', '{ photometrc: 1 }'));
  expect(await refused('train', wrong)).toMatch(
    /wrong\.yaml, stage "only": no loss "photometrc"; there are photometric,/,
  );
  writeFileSync(wrong, 'name: [');
  expect(await refused('train', wrong)).toMatch(/recipe .*wrong\.yaml is not YAML: .*line 1/);
  writeFileSync(wrong, text('lite0', '{ depth_truth: 1 }'));
  expect(await refused('train', wrong, '--out', join(root, 'no_loss'))).toMatch(
    /fits its data: depth_truth \(needs truth\)/,
  );
  expect(await refused('train', join(root, 'nowhere.yaml'))).toMatch(/: no file .*nowhere\.yaml; check the path $/);
  expect(await refused('train', recipe, '--max-minutes', 'ten')).toMatch(/--max-minutes.*a number above 0 is needed/);
});

test('folders that are no runs, and places that cannot be written, are named', async () => {
  const model = join(root, 'model.onnx');
  for (const args of [
    ['export', root, '--out', model],
    ['report', root],
    ['evaluate', '--run', root, '--dataset', root],
  ])
    expect(await refused(...args)).toMatch(/is no run folder: it has no recipe\.yaml\. Name the --out folder/);
  expect(await refused('export', run, '--best', '--out', model)).toMatch(
    /has no best\.safetensors: .*leave --best out/,
  );
  expect(await refused('export', run, '--out', join(root, 'nowhere', 'model.onnx'))).toMatch(
    /cannot write .*nowhere\/model\.onnx: its folder is not there; make it first/,
  );
  expect(await refused('train', recipe, '--out', join(recipe, 'run'))).toMatch(/cannot make the run folder .*--out/);
  expect(await refused('train', recipe, '--out', '/proc/sys/run')).toMatch(/run folder .*(may not be|is read-only)/);
  expect(existsSync(model)).toBe(false);
});

test('pictures and camera files are named with what to do', async () => {
  const folder = await makePictureFolder(join(root, 'damaged'));
  truncateSync(join(folder, 'image_left', '1.png'), 60);
  expect(await refused('prepare', folder)).toMatch(
    /image_left\/1\.png: .*copy it again, or leave it out with .*--max-unreadable/,
  );
  const camera = join(folder, 'calib.yaml');
  writeFileSync(camera, readFileSync(camera, 'utf8').replace(/^fx: .*$/m, 'fx: .nan'));
  expect(await refused('prepare', folder)).toMatch(/calib\.yaml: not a camera file; correct it, .*NaN → at fx/);
});

test('a damaged checkpoint says how to go on', async () => {
  mkdirSync(join(root, 'cut'));
  const copy = join(root, 'cut', 'checkpoint.safetensors');
  writeFileSync(copy, readFileSync(checkpoint).subarray(0, 5000));
  expect(await refused('train', recipe, '--out', join(root, 'cut'))).toMatch(
    /cut\/checkpoint\.safetensors is not a usable safetensors file.*remove the file to start anew/,
  );
});
