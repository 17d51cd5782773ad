/** The supervised family on real frames: each network overfits 100 frames of 7-Scenes, and what that is worth on frames it never saw. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openRecording } from '../../src/training/datasets/openRecording';
import { prepare } from '../../src/training/datasets/prepare';
import { createNetwork } from '../../src/training/networks';
import type { TrainedNetwork } from '../../src/training/networks/trainedNetwork';
import { Random } from '../../src/training/random';
import { readRecipe, type Stage } from '../../src/training/recipe';
import { finalLossWeights } from '../../src/training/schedule';
import { computeLosses } from '../../src/training/step';
import { overfit } from '../support/overfit';
import { WholeFrames } from '../support/wholeFrames';

const shared = resolve(process.env.DEPTHGRAD_SHARED_DATA ?? join(__dirname, '../../../shared/data'));
const recording = join(shared, '7scenes_redkitchen_f000-699');
if (!existsSync(recording)) console.log(`not trained on: no ${recording}`);

const SIZE = { height: 64, width: 96 };
const FRAMES = 100;
const BATCH = 4;
/** Few frames bear a higher rate than the recipes' 1e-4, but for ResNet-50, which has no batch normalisation. */
const RATES = { learning_rate: 5e-4, final_learning_rate: 1e-4 };
/** Mean squared error on the 100 frames as a share of theirs around their mean depth, which is what a constant reaches. */
const LARGEST_SHARE = 0.5;

interface Row {
  train: number;
  held: number;
  checkerboard: number;
}
const rows = new Map<string, Row>();
afterAll(() => {
  const lines = [...rows].map(
    ([name, { train, held, checkerboard }]) =>
      `${name.padEnd(16)} rms ${Math.sqrt(train).toFixed(3)} m on the ${FRAMES} frames, ${Math.sqrt(held).toFixed(3)} m on held-out ones ` +
      `(gap ${(Math.sqrt(held) - Math.sqrt(train)).toFixed(3)} m); checkerboard ${checkerboard.toFixed(5)}`,
  );
  if (lines.length > 0) console.log(lines.join('\n'));
});

/** Means over frames, with the network as it is used after training. */
function figures(network: TrainedNetwork, source: WholeFrames, stage: Stage): { error: number; checkerboard: number } {
  let [error, checkerboard] = [0, 0];
  const settings = { ...stage, losses: finalLossWeights(stage) };
  for (let first = 0; first < source.frames.length; first += BATCH) {
    const frames = source.frames.slice(first, first + BATCH);
    const { scalars } = computeLosses(network, source.of(frames, SIZE.height, SIZE.width), settings);
    error += (scalars.depth_mse * frames.length) / source.frames.length;
    checkerboard += (scalars.checkerboard * frames.length) / source.frames.length;
  }
  return { error, checkerboard };
}

/** Mean squared distance of measured depth from its mean. */
function variance(source: WholeFrames): number {
  const { depth } = source.of(source.frames, SIZE.height, SIZE.width);
  const metres = depth!.filter((z) => z > 0);
  const mean = metres.reduce((sum, z) => sum + z, 0) / metres.length;
  return metres.reduce((sum, z) => sum + (z - mean) ** 2, 0) / metres.length;
}

(existsSync(recording) ? describe : describe.skip)('7-Scenes', () => {
  let cache: string;
  let training: WholeFrames;
  let heldOut: WholeFrames;
  beforeAll(async () => {
    cache = mkdtempSync(join(tmpdir(), 'depthgrad-supervised-'));
    const drive = await prepare(await openRecording(recording), cache, { width: 160, progress: false });
    const withDepth = Array.from({ length: drive.count }, (_, i) => i).filter((i) => drive.depth!.has(i));
    const { train, heldOut: held } = drive.split();
    training = new WholeFrames(drive, withDepth.filter((i) => i < train[1]).slice(0, FRAMES), new Random(1));
    heldOut = new WholeFrames(
      drive,
      withDepth.filter((i) => i >= held[0]),
    );
  });
  afterAll(() => rmSync(cache, { recursive: true, force: true }));

  test.each([
    ['eigen_coarse', 400],
    ['pure_cnn', 300],
    ['cnn_transpose', 300],
    ['cnn_residual', 120],
  ])('%s overfits 100 frames', (name, steps) => {
    expect(training.frames).toHaveLength(FRAMES);
    const recipe = readRecipe(`config/recipes/${name}.yaml`);
    const rates = name === 'cnn_residual' ? {} : RATES;
    const stage = { ...recipe.stages[0], ...SIZE, batch_size: BATCH, ...rates };
    const network = createNetwork({ ...recipe.network, ...SIZE }, { seed: recipe.seed, images: training });
    overfit(network, training, stage, recipe.optimizer, { steps });
    const [own, held] = [training, heldOut].map((source) => figures(network, source, stage));
    network.dispose();
    rows.set(name, { train: own.error, held: held.error, checkerboard: own.checkerboard });
    expect(own.error).toBeLessThan(LARGEST_SHARE * variance(training));
  });

  test('CNN+FC learns the frames by heart', () => {
    const { train, held } = rows.get('eigen_coarse')!;
    expect(held).toBeGreaterThan(1.5 * train);
  });
});
