/** A training run as one YAML file: data, network, and stages of loss terms with weights. */
import { readFileSync } from 'node:fs';
import { parse, parseDocument } from 'yaml';
import { z } from 'zod';
import { lossTerms } from './losses';
import { networkSchema } from './networks';

const weightsSchema = z.record(z.string(), z.number().nonnegative());

const stageSchema = z.strictObject({
  name: z.string().min(1),
  steps: z.int().positive(),
  height: z.int().positive().multipleOf(32),
  width: z.int().positive().multipleOf(32),
  batch_size: z.int().positive(),
  learning_rate: z.number().positive(),
  /** Learning rate at the stage's end, reached along a cosine. */
  final_learning_rate: z.number().positive().optional(),
  /** Factor on the encoder's learning rate; 0 freezes it. */
  encoder_rate: z.number().nonnegative().default(1),
  /** Variables whose names start so are not trained, such as encoder/stem/. */
  frozen: z.array(z.string()).default([]),
  /** Share of the steps that take a batch of each data set. */
  mix: z.strictObject({ drives: z.number().nonnegative().default(0), synthetic: z.number().nonnegative().default(0) }),
  /** Whether the photometric losses see the pose head's answers refined by direct alignment, or the answers themselves. */
  align_poses: z.boolean().default(true),
  /** Weights of loss terms by name. A term whose needs a batch does not meet is left out of that step. */
  losses: weightsSchema,
});

const recipeSchema = z.strictObject({
  name: z.string().min(1),
  description: z.string(),
  paper: z.string().optional(),
  seed: z.int().default(1),
  threads: z.int().positive().default(2),
  network: networkSchema,
  data: z.strictObject({
    /** Recordings of any layout of datasets/openRecording.ts; a bare name is looked for in the fetched sample drive. */
    drives: z.array(z.string()).default([]),
    /** Camera file of videos, and of pictures without a calib.yaml; the other layouts bring their own calibration. */
    camera: z.string().default('config/cameras/udacity.yaml'),
    /** Distances in frames between the target and its sources, drawn evenly. */
    strides: z.array(z.int().positive()).default([1]),
    /** Frames whose motion score to the next is below this are static and left out. */
    min_motion: z.number().nonnegative().default(0),
    /** Motion that must lie between target and source: each target takes the smallest stride that reaches it. 0: all strides. */
    stride_motion: z.number().nonnegative().default(0),
    /** Smallest share of the frame's width and height a random crop keeps. */
    min_crop: z.tuple([z.number().positive().max(1), z.number().positive().max(1)]).default([0.85, 0.6]),
    synthetic_samples: z.int().positive().default(3000),
    /** Different frames that may turn out unreadable; each is named and another is drawn. One more ends the run. */
    max_corrupt_frames: z.int().nonnegative().default(20),
  }),
  optimizer: z
    .strictObject({
      clip_norm: z.number().positive().default(5),
      ema_decay: z.number().min(0).max(1).default(0.998),
      /** A loss this many times the level its stage started at (at least 1) has exploded and ends the run. */
      explosion_factor: z.number().gt(1).default(100),
    })
    .prefault({}),
  /** The averaged weights on data kept out of training, by which the best checkpoint is chosen. */
  validation: z
    .strictObject({
      /** Steps between two validations; the run's last step is one too. 0 switches validation off. */
      every: z.int().nonnegative().default(400),
      /** Samples looked at, the same ones every time. */
      samples: z.int().positive().default(16),
      /** Share of every drive's training part, at its end, that is kept out for it. */
      share: z.number().min(0).max(0.5).default(0.1),
      /** The figure that decides, lower is better: a loss term, "term/figure" or "loss". By default the first of FIGURES the losses have. */
      figure: z.string().optional(),
    })
    .prefault({}),
  stages: z.array(stageSchema).min(1),
  checkpoint_every: z.int().positive().default(200),
  log_every: z.int().positive().default(20),
  images_every: z.int().positive().default(200),
});

export type Recipe = z.infer<typeof recipeSchema>;
export type Stage = z.infer<typeof stageSchema>;

/**
 * @param drives recordings to train on in place of the recipe's
 * @throws Error naming the file and the field that is wrong
 */
export function readRecipe(path: string, drives?: readonly string[]): Recipe {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read the recipe ${path}: ${(error as Error).message}`);
  }
  const result = recipeSchema.safeParse(parse(text));
  if (!result.success) throw new Error(`recipe ${path} is not valid:\n${z.prettifyError(result.error)}`);
  if (drives) result.data.data.drives = [...drives];
  for (const stage of result.data.stages) {
    for (const name of Object.keys(stage.losses)) {
      if (!lossTerms.has(name))
        throw new Error(
          `recipe ${path}, stage "${stage.name}": no loss "${name}"; there are ${[...lossTerms.keys()].join(', ')}`,
        );
    }
    if (stage.mix.drives + stage.mix.synthetic <= 0)
      throw new Error(`recipe ${path}, stage "${stage.name}": mix must give drives or synthetic a share above 0`);
    if (stage.mix.drives > 0 && result.data.data.drives.length === 0)
      throw new Error(`recipe ${path}, stage "${stage.name}": mix asks for drives but data.drives is empty`);
  }
  return result.data;
}

/** A recipe's text, comments included, with these recordings in place of its own: what the run folder keeps. */
export function withDrives(text: string, drives: readonly string[]): string {
  const document = parseDocument(text);
  document.setIn(['data', 'drives'], [...drives]);
  return document.toString({ lineWidth: 0 });
}
