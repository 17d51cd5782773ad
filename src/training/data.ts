/** Opens the data sets a recipe names. */
import { preparedFolder, resolveFile } from '../paths';
import type { BatchSource, DataSets } from './batches/batchSource';
import { DriveBatches, NoTargetsError, type BatchPart } from './batches/drives';
import { SyntheticBatches } from './batches/synthetic';
import { openRecording } from './datasets/openRecording';
import { prepare } from './datasets/prepare';
import { DEFAULT_SYNTHETIC_SET, openSyntheticSet } from './datasets/syntheticSet';
import type { Random } from './random';
import type { Recipe } from './recipe';

/** Rendered scenes looked at in validations. Of a seed of their own: bench:encoders measures on the one after the training set's. */
const VALIDATION_SCENES = { count: 50, key: { ...DEFAULT_SYNTHETIC_SET, seed: DEFAULT_SYNTHETIC_SET.seed + 2 } };

async function openDrives(recipe: Recipe, random: Random, part: BatchPart): Promise<DriveBatches> {
  const {
    drives,
    camera,
    strides,
    min_motion: minMotion,
    stride_motion: strideMotion,
    min_crop: minCrop,
  } = recipe.data;
  const cameraFile = resolveFile(camera);
  const prepared = [];
  for (const drive of drives) {
    prepared.push(await prepare(await openRecording(resolveFile(drive), { cameraFile }), preparedFolder()));
  }
  const validationShare = recipe.validation.every > 0 ? recipe.validation.share : 0;
  return new DriveBatches(prepared, { strides, minMotion, strideMotion, minCrop, validationShare, part }, random);
}

/** The data sets the recipe's stages take a share of, prepared first where they are not in the cache yet. */
export async function openDataSets(recipe: Recipe, random: Random): Promise<DataSets> {
  const uses = (name: keyof DataSets): boolean => recipe.stages.some((stage) => stage.mix[name] > 0);
  return {
    drives: uses('drives') ? await openDrives(recipe, random, 'train') : undefined,
    synthetic: uses('synthetic')
      ? new SyntheticBatches(await openSyntheticSet(recipe.data.synthetic_samples, preparedFolder()), random)
      : undefined,
  };
}

/**
 * Data kept out of training, of the kind the last stage sees most: the end of the drives' training part, or rendered scenes of
 * another seed. Undefined where the recipe wants no validation or leaves it nothing.
 */
export async function openValidation(recipe: Recipe, random: Random): Promise<BatchSource | undefined> {
  const { every, share } = recipe.validation;
  if (every === 0) return undefined;
  const { mix } = recipe.stages[recipe.stages.length - 1];
  if (mix.drives < mix.synthetic) {
    const { count, key } = VALIDATION_SCENES;
    return new SyntheticBatches(await openSyntheticSet(count, preparedFolder(), key), random);
  }
  if (share === 0) return undefined;
  try {
    return await openDrives(recipe, random, 'validation');
  } catch (error) {
    if (!(error instanceof NoTargetsError)) throw error;
    console.error(`no validation, and no best checkpoint: ${error.message}, or raise validation.share`);
    return undefined;
  }
}
