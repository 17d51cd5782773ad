/** SfMLearner's explainability mask: it closes over what moves by itself, and stays open over what the camera's motion explains. */
import * as tf from '@tensorflow/tfjs-node-gpu';
import { createNetwork } from '../../src/training/networks';
import { readRecipe } from '../../src/training/recipe';
import { overfit } from '../support/overfit';
import { LABELS, TinySet } from '../support/tinySet';

const SIZE = { height: 64, width: 128, batch_size: 2 };
const STEPS = 250;

test('the mask is lower over moving vehicles than over the rest of the road', () => {
  const recipe = readRecipe('config/recipes/sfmlearner.yaml');
  const stage = recipe.stages.find(({ name }) => name === 'drives')!;
  const source = new TinySet({ moving: [0.03, 0.3] });
  const batch = source.next(SIZE.batch_size, SIZE.height, SIZE.width);
  const network = createNetwork({ ...recipe.network, ...SIZE }, { seed: recipe.seed, images: source });
  // With the true depth beside the recipe's losses: how fast depth is learnt from photographs is another question.
  const losses = { ...stage.losses, depth_truth: 1 };
  overfit(network, source, { ...stage, ...SIZE, losses, learning_rate: 5e-4 }, recipe.optimizer, { steps: STEPS });
  const mask = tf.tidy(() => {
    const { explainability } = network.forward(batch, { alignPoses: false });
    return tf.mean(tf.sigmoid(explainability![0]), 3).dataSync<'float32'>();
  });
  network.dispose();
  const meanOver = (counts: (label: number) => boolean): number => {
    const kept = mask.filter((_, i) => counts(batch.labels![i]));
    return kept.reduce((sum, x) => sum + x, 0) / kept.length;
  };
  const still = meanOver((label) => label !== LABELS.moving);
  const moving = meanOver((label) => label === LABELS.moving);
  console.log(`mean mask over what stands ${still.toFixed(3)}, over what moves ${moving.toFixed(3)}`);
  // A vehicle's even sides look the same wherever they are: only its edges and patterns are unexplained.
  expect(moving).toBeLessThan(0.95 * still);
});
