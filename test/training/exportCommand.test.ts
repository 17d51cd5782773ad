/** `depthgrad export` of runs of networks other than depthgrad's own, as a user types it. Builds on dist/. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { coveredView } from '../../src/geometry/lens';
import { readModelFile, readOnnxMetadata } from '../../src/inference/modelFile';
import { OnnxModel } from '../../src/training/evaluation/onnxModel';
import { openRun } from '../../src/training/trainedRun';
import { cameraWithLens, plumbBob } from '../support/lensPoints';
import { MovingPattern } from '../support/movingPattern';
import { tinyRecipe, trainTiny } from '../support/tinyRun';
import { Random } from '../../src/training/random';

const [height, width] = [32, 64];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'depthgrad-export-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const size = `height: ${height}, width: ${width}`;
/** A pincushion lens: its recordings are zoomed until there are no black corners, and the model has seen those. */
const CAMERA = { width: 640, height: 480, fx: 500, fy: 500, cx: 319.5, cy: 239.5 };
const CAMERA_FILE = 'image_width: 640\nimage_height: 480\nfx: 500\nfy: 500\ncx: 319.5\ncy: 239.5\ndistortion: [0.2]\n';
const supervised = '{ depth_mse: 1, depth_truth: 0.1 }';
const selfSupervised = '{ explained_photometric: 1, second_order_smoothness: 0.5, mask_regulariser: 0.2 }';

test.each([
  ['eigen_coarse', `{ kind: eigen_coarse, ${size}, width_factor: 0.25 }`, supervised, 'none', 'tiny-32x64'],
  [
    'cnn_residual',
    `{ kind: cnn_residual, encoder: resnet18, decoder_channels: 32, ${size} }`,
    supervised,
    'resnet18',
    'tiny-resnet18-32x64',
  ],
  [
    'monodepth',
    `{ kind: monodepth, encoder: dispnet, decoder_factor: 0.25, ${size} }`,
    '{ left_right_photometric: 1, stereo_smoothness: 0.1 }',
    'dispnet',
    'tiny-dispnet-32x64',
  ],
  ['sfmlearner', `{ kind: sfmlearner, ${size}, width_factor: 0.25 }`, selfSupervised, 'none', 'tiny-32x64'],
])(
  'a run of %s becomes a model file with its averaged weights and running statistics',
  async (kind, network, losses, encoder, name) => {
    await trainTiny(tinyRecipe(folder, { network, losses, steps: 3 }), folder);
    writeFileSync(join(folder, 'camera.yaml'), CAMERA_FILE);
    const out = join(folder, 'model.onnx');
    const { status, stdout, stderr } = spawnSync('node', ['dist/src/cli.js', 'export', folder, '--out', out], {
      encoding: 'utf8',
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const { bytes, description } = await readModelFile(out);
    expect(description).toMatchObject({ name, version: 'step3', height, width });
    expect(stdout).toContain(`sha256 ${description.sha256}`);
    const metadata = readOnnxMetadata(bytes);
    const zoomed = coveredView(cameraWithLens(CAMERA, plumbBob(0.2))).fx;
    expect(zoomed).toBeGreaterThan(1.02 * CAMERA.fx);
    expect(Number(metadata.get('training_fx'))).toBeCloseTo((zoomed * width) / CAMERA.width, 4);
    expect(Object.fromEntries(metadata)).toMatchObject({ network: kind, encoder, confidence: 'constant 1' });
    expect(['fusion_lambda', 'confidence_sharpness'].some((key) => metadata.has(key))).toBe(false);

    const { target } = new MovingPattern(new Random(5)).next(1, height, width);
    const image = Uint8Array.from(target, (level) => Math.round(255 * level));
    const { network: trained } = openRun(folder);
    const expected = tf.tidy(() => {
      const rgb = tf.tensor4d(
        Float32Array.from(image, (level) => level / 255),
        [1, height, width, 3],
      );
      return tf.exp(tf.neg(trained.estimate(rgb).fused)).dataSync<'float32'>();
    });
    trained.dispose();
    const model = await OnnxModel.open(out, 1);
    const { depth } = await model.run(image, height, width, model.emptyFeatures());
    await model.close();
    const worst = expected.reduce((error, z, i) => Math.max(error, Math.abs(depth[i] - z) / z), 0);
    expect(worst).toBeLessThan(1e-4);
  },
);

test('a camera whose lens leaves no view is named with its file and field, and what to do', async () => {
  const network = `{ kind: eigen_coarse, ${size}, width_factor: 0.25 }`;
  await trainTiny(tinyRecipe(folder, { network, losses: supervised, steps: 2 }), folder);
  const camera = join(folder, 'camera.yaml');
  writeFileSync(camera, CAMERA_FILE.replace('[0.2]', '[-40]'));
  const args = ['dist/src/cli.js', 'export', folder, '--out', join(folder, 'model.onnx')];
  const { status, stderr } = spawnSync('node', args, {
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  const what =
    'of plumb_bob [-40] leaves no view without black corners; calibrate again, with the board in the corners';
  expect(stderr).toContain(`${camera}: distortion (d of a camera_info) ${what}`);
  expect(status).toBe(1);
});
