/** Opens the data sets a recipe names. */
import { preparedFolder, resolveFile } from '../paths';
import { DriveBatches } from './batches/drives';
import { SyntheticBatches } from './batches/synthetic';
import { openRecording } from './datasets/openRecording';
import { prepare } from './datasets/prepare';
import { openSyntheticSet } from './datasets/syntheticSet';
import type { Random } from './random';
import type { Recipe } from './recipe';
import type { BatchSource, DataSetName } from './trainer';

async function openDrives(recipe: Recipe, random: Random): Promise<BatchSource> {
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
  return new DriveBatches(prepared, { strides, minMotion, strideMotion, minCrop }, random);
}

/** The data sets the recipe's stages take a share of, prepared first where they are not in the cache yet. */
export async function openDataSets(recipe: Recipe, random: Random): Promise<Partial<Record<DataSetName, BatchSource>>> {
  const uses = (name: DataSetName): boolean => recipe.stages.some((stage) => stage.mix[name] > 0);
  return {
    drives: uses('drives') ? await openDrives(recipe, random) : undefined,
    synthetic: uses('synthetic')
      ? new SyntheticBatches(await openSyntheticSet(recipe.data.synthetic_samples, preparedFolder()), random)
      : undefined,
  };
}
