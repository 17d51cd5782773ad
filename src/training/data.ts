/** Opens the data sets a recipe names. */
import { preparedFolder, resolveFile } from '../paths';
import type { BatchSource, DataSetName, DataSets } from './batches/batchSource';
import { DriveBatches, NoTargetsError, type BatchPart, type DriveBatchOptions } from './batches/drives';
import { MEASURED_PARTS, MeasuredBatches } from './batches/measured';
import { RENDERED_PARTS, SyntheticBatches, type SyntheticBatchOptions } from './batches/synthetic';
import { UnlabelledBatches } from './batches/unlabelled';
import { openPrepared } from './datasets/openPrepared';
import type { PreparedDrive } from './datasets/prepared';
import { openSyntheticClasses } from './datasets/syntheticClasses';
import { DEFAULT_SYNTHETIC_SET, openSyntheticSet, type SyntheticSetKey } from './datasets/syntheticSet';
import { labelDrive } from './datasets/teacherLabels';
import { lossTerms } from './losses';
import type { LossNeed } from './losses/loss';
import type { Random } from './random';
import type { Recipe } from './recipe';

/** Rendered scenes looked at in validations. Of a seed of their own: bench:encoders measures on the one after the training set's. */
const VALIDATION_SCENES = { count: 50, key: { ...DEFAULT_SYNTHETIC_SET, seed: DEFAULT_SYNTHETIC_SET.seed + 2 } };

async function prepared(recipe: Recipe, paths: readonly string[]): Promise<PreparedDrive[]> {
  const cameraFile = resolveFile(recipe.data.camera);
  const drives: PreparedDrive[] = [];
  for (const path of paths) drives.push(await openPrepared(path, cameraFile));
  return drives;
}

function drawing(recipe: Recipe, part: BatchPart): DriveBatchOptions {
  const { strides, min_motion: minMotion, stride_motion: strideMotion, min_crop: minCrop } = recipe.data;
  const validationShare = recipe.validation.every > 0 ? recipe.validation.share : 0;
  return { strides, minMotion, strideMotion, minCrop, validationShare, part };
}

async function openDrives(recipe: Recipe, random: Random, part: BatchPart): Promise<DriveBatches> {
  return new DriveBatches(await prepared(recipe, recipe.data.drives), drawing(recipe, part), random);
}

/** Those of the parts that the losses of the stages that take a data set's batches look at. */
function wantedParts<Part extends LossNeed>(
  recipe: Recipe,
  dataSet: DataSetName,
  parts: readonly Part[],
): ReadonlySet<Part> {
  const stages = recipe.stages.filter(({ mix }) => mix[dataSet] > 0);
  const needs = stages.flatMap(({ losses }) => Object.keys(losses).map((name) => lossTerms.get(name)?.needs));
  return new Set(parts.filter((part) => needs.includes(part)));
}

async function openMeasured(recipe: Recipe, random: Random, part: BatchPart): Promise<MeasuredBatches> {
  const recordings = await prepared(recipe, recipe.data.measured);
  return new MeasuredBatches(
    recordings,
    {
      ...drawing(recipe, part),
      wanted: wantedParts(recipe, 'measured', MEASURED_PARTS),
      depthEvery: recipe.data.depth_every,
    },
    random,
  );
}

async function openUnlabelled(recipe: Recipe, random: Random, part: BatchPart): Promise<UnlabelledBatches> {
  const { unlabelled, teacher, student } = recipe.data;
  if (teacher === undefined) throw new Error(`recipe "${recipe.name}": data.teacher names no model file`);
  const recordings = [];
  for (const video of await prepared(recipe, unlabelled))
    recordings.push({ video, labels: await labelDrive(video, resolveFile(teacher)) });
  const perturbation = student && {
    jitterChance: student.jitter_chance,
    blurChance: student.blur_chance,
    blurSigma: student.blur_sigma,
    cutMixChance: student.cutmix_chance,
  };
  // Validations see the pictures as they are.
  const options = { ...drawing(recipe, part), student: part === 'train' ? perturbation : undefined };
  return new UnlabelledBatches(recordings, options, random);
}

async function openSynthetic(
  recipe: Recipe,
  random: Random,
  count: number,
  key: SyntheticSetKey,
): Promise<SyntheticBatches> {
  const wanted = wantedParts(recipe, 'synthetic', RENDERED_PARTS);
  const scenes = await openSyntheticSet(count, preparedFolder(), key);
  const options: SyntheticBatchOptions = {
    normals: wanted.has('normals'),
    labels: wanted.has('labels') ? await openSyntheticClasses(scenes) : undefined,
  };
  return new SyntheticBatches(scenes, random, options);
}

const OPEN_RECORDINGS = { drives: openDrives, measured: openMeasured, unlabelled: openUnlabelled };

/** The data sets the recipe's stages take a share of, prepared first where they are not in the cache yet. */
export async function openDataSets(recipe: Recipe, random: Random): Promise<DataSets> {
  const uses = (name: DataSetName): boolean => recipe.stages.some((stage) => stage.mix[name] > 0);
  return {
    drives: uses('drives') ? await openDrives(recipe, random, 'train') : undefined,
    measured: uses('measured') ? await openMeasured(recipe, random, 'train') : undefined,
    unlabelled: uses('unlabelled') ? await openUnlabelled(recipe, random, 'train') : undefined,
    synthetic: uses('synthetic')
      ? await openSynthetic(recipe, random, recipe.data.synthetic_samples, DEFAULT_SYNTHETIC_SET)
      : undefined,
  };
}

/**
 * Data kept out of training, of the kind the last stage sees most: the end of the recordings' training part, or rendered scenes of
 * another seed. Undefined where the recipe wants no validation or leaves it nothing.
 */
export async function openValidation(recipe: Recipe, random: Random): Promise<BatchSource | undefined> {
  const { every, share } = recipe.validation;
  if (every === 0) return undefined;
  const { mix } = recipe.stages[recipe.stages.length - 1];
  // Of equal shares the first; real pictures go before rendered ones.
  const [most] = (['drives', 'measured', 'unlabelled', 'synthetic'] as const).toSorted((a, b) => mix[b] - mix[a]);
  if (most === 'synthetic') {
    const { count, key } = VALIDATION_SCENES;
    return openSynthetic(recipe, random, count, key);
  }
  if (share === 0) return undefined;
  try {
    return await OPEN_RECORDINGS[most](recipe, random, 'validation');
  } catch (error) {
    if (!(error instanceof NoTargetsError)) throw error;
    console.error(`no validation, and no best checkpoint: ${error.message}, or raise validation.share`);
    return undefined;
  }
}
