import { join } from 'node:path';
import { changeOptions, checkOptions, defaultOptions, type AdaptationOptions } from '../adaptation/options';
import { cacheFolder, defaultModelPath } from '../paths';
import { IMAGE_PARAMETERS, imageParameters, type ImageParameters } from './imageParameters';
import {
  booleanParameter,
  declareParameters,
  numberParameter,
  stringParameter,
  type ParameterSpec,
} from './ros/parameters';
import type { RosNode, RosParameter } from './ros/rclnodejs';

const { losses } = defaultOptions;
const LARGEST_COUNT = 1_000_000;
const lossSpec = (value: number, text: string) => ({ value, range: [0, 1000], live: true, text }) as const;

/** Parameters that are the learner's options, by their names there; those of `losses` follow. */
const OPTIONS = {
  learning_rate: 'learningRate',
  min_motion: 'minMotion',
  min_brightness: 'minBrightness',
  max_saturated: 'maxSaturated',
  min_sharpness: 'minSharpness',
  min_correlation: 'minCorrelation',
  max_gap: 'maxGap',
  buffer_megabytes: 'bufferMegabytes',
  max_similarity: 'maxSimilarity',
  replay_source: 'replaySource',
  replay_place: 'replayPlace',
  encoder_rate: 'encoderRate',
  ema_decay: 'emaDecay',
  clip_norm: 'clipNorm',
  steps_per_triplet: 'stepsPerTriplet',
  duty_cycle: 'dutyCycle',
  step_period: 'stepPeriod',
  seed: 'seed',
  judged_place: 'judgedPlace',
  judged_source: 'judgedSource',
  judged_every: 'judgedEvery',
  least_judged: 'leastJudged',
  judge_every: 'judgeEvery',
  max_source_rise: 'maxSourceRise',
  error_band: 'errorBand',
  scale_band: 'scaleBand',
  consistency_band: 'consistencyBand',
  max_rollbacks: 'maxRollbacks',
} as const satisfies Record<string, keyof AdaptationOptions>;

type OptionParameter = keyof typeof OPTIONS;
const LOSS_PREFIX = 'loss_';

const count = (value: number, text: string, from = 1) =>
  ({ value, integer: true, range: [from, LARGEST_COUNT], live: true, text }) as const;
const share = (value: number, text: string) => ({ value, range: [0, 1], live: true, text }) as const;

/** Every parameter of adaptation_node; config/camera.yaml documents the same ones. */
export const ADAPTATION_PARAMETERS = {
  model: {
    value: '',
    text: "Path of the ONNX model depth_node starts with: start and frozen reference. Empty: the package's models/default.onnx.",
  },
  depth_node: { value: 'depth_node', text: 'Name of the node that runs the model, in the own namespace or absolute.' },
  private_key: { value: '', text: 'Ed25519 private key file (PEM) to sign updates with; empty: not signed.' },
  source: {
    value: '',
    text: 'Drives the model was trained on: a prepared drive, a recording, or a folder of them. Empty: the sample drives of set-up.',
  },
  source_camera: {
    value: '',
    text: 'calib.yaml of source drives that have none of their own. Empty: config/cameras/udacity.yaml.',
  },
  folder: {
    value: '',
    text: "Where buffer and state are kept. Empty: adaptation/NODE'S FULL NAME in DEPTHGRAD_CACHE, else ~/.cache/depthgrad.",
  },
  enabled: { value: true, text: 'Learn from the start; ~/enable changes it.' },
  save_period: {
    value: 60,
    range: [1, 86400],
    live: true,
    text: 'Seconds between two writings of the state; it is also written before every update and at the end.',
  },
  threads: { value: 1, integer: true, range: [1, 64], text: 'CPU threads of TensorFlow in the learner.' },
  niceness: {
    value: 10,
    integer: true,
    range: [0, 19],
    text: 'How far the process gives way to others (nice), so that depth does not wait for learning.',
  },
  image_rows: {
    value: 0,
    integer: true,
    range: [0, 100000],
    text: "Rows learned from, from the top, as depth_node's image_rows; 0 is all of them.",
  },
  ...IMAGE_PARAMETERS,
  twist_topic: {
    value: '',
    text: "geometry_msgs/TwistStamped of the vehicle's speed, whose length is taken unless it turns by more than .2 rad/s; empty: none.",
  },
  odometry_topic: {
    value: '',
    text: "nav_msgs/Odometry of the vehicle's speed, whose length is taken unless it turns by more than .2 rad/s; empty: none.",
  },
  duty_cycle: {
    value: 0.5,
    range: [0.001, 1],
    live: true,
    text: 'Greatest share of time that goes into learning; after each step it rests.',
  },
  step_period: {
    value: 1,
    range: [0, 3600],
    live: true,
    text: 'Least seconds from the beginning of a step to that of the next; 0.0 leaves it to duty_cycle.',
  },
  learning_rate: { value: defaultOptions.learningRate, range: [0, 1], live: true, text: 'Of Adam.' },
  steps_per_triplet: count(defaultOptions.stepsPerTriplet, 'Steps with the same triplet while no newer one has come.'),
  replay_source: count(defaultOptions.replaySource, 'Source triplets replayed per step.', 0),
  replay_place: count(defaultOptions.replayPlace, "The place's own triplets replayed per step.", 0),
  max_similarity: share(
    defaultOptions.maxSimilarity,
    'A frame of the place more similar than this to a kept one (cosine of features) is not kept.',
  ),
  min_motion: {
    value: defaultOptions.minMotion,
    range: [0, 255],
    live: true,
    text: 'Least change between neighbouring frames of a triplet, mean grey levels of 0..255.',
  },
  min_brightness: {
    value: defaultOptions.minBrightness,
    range: [0, 255],
    live: true,
    text: 'Frames darker than this on average, 0..255, are skipped.',
  },
  max_saturated: share(defaultOptions.maxSaturated, 'Frames with a greater share of saturated pixels are skipped.'),
  min_sharpness: share(
    defaultOptions.minSharpness,
    "Frames less sharp than this share of the recent ones' median are skipped.",
  ),
  min_correlation: share(
    defaultOptions.minCorrelation,
    'Neighbouring frames less alike than this are a bump, a cut or noise.',
  ),
  max_gap: {
    value: defaultOptions.maxGap,
    range: [0.01, 60],
    live: true,
    text: 'Seconds without a frame across which no triplet reaches.',
  },
  loss_photometric: lossSpec(losses.photometric, 'Weight of the photometric loss at full size.'),
  loss_photometric_half: lossSpec(losses.photometric_half, 'Weight of the photometric loss at half the size.'),
  loss_photometric_quarter: lossSpec(losses.photometric_quarter, 'Weight of the photometric loss at a quarter.'),
  loss_gradient_consistency: lossSpec(losses.gradient_consistency, 'Weight of depth against the gradient head.'),
  loss_smoothness: lossSpec(losses.smoothness, 'Weight of edge-aware smoothness of depth.'),
  loss_gradient_smoothness: lossSpec(losses.gradient_smoothness, 'Weight of edge-aware smoothness of the gradient.'),
  loss_pose_alignment: lossSpec(losses.pose_alignment, 'Weight of the pose head against the aligned poses.'),
  loss_velocity: lossSpec(losses.velocity, 'Weight of the measured speed; 0.0 leaves the scale to the reference.'),
  loss_reference_depth: lossSpec(losses.reference_depth, "Weight of the reference's answers on source frames."),
  loss_scale_anchor: lossSpec(losses.scale_anchor, "Weight of the batch's mean log-disparity against the reference's."),
  judged_every: count(defaultOptions.judgedEvery, 'Every so-manyth triplet of the place is judged by.', 2),
  least_judged: count(
    defaultOptions.leastJudged,
    'Triplets of the place that must have come after a candidate before it is judged by them.',
  ),
  judge_every: count(defaultOptions.judgeEvery, 'Steps between two judgements.'),
  max_source_rise: {
    value: defaultOptions.maxSourceRise,
    range: [0, 10],
    live: true,
    text: "Largest relative rise of the source's error with which a candidate is promoted.",
  },
  error_band: {
    value: defaultOptions.errorBand,
    range: [0.001, 10],
    live: true,
    text: "Relative rise of an error over the reference's at which weights are rolled back.",
  },
  scale_band: {
    value: defaultOptions.scaleBand,
    range: [0.001, 10],
    live: true,
    text: 'Largest |log| of the depth scale against the reference.',
  },
  consistency_band: {
    value: defaultOptions.consistencyBand,
    range: [1.001, 100],
    live: true,
    text: "Largest ratio of the heads' disagreement to the reference's.",
  },
  max_rollbacks: count(defaultOptions.maxRollbacks, 'Rollbacks without a promotion after which adaptation pauses.'),
  buffer_megabytes: {
    value: defaultOptions.bufferMegabytes,
    range: [1, 65536],
    text: 'Bound on the replay buffer in memory, MiB; on disk it takes about a fifth.',
  },
  judged_place: { ...count(defaultOptions.judgedPlace, 'Triplets of the place that are judged by.'), live: false },
  judged_source: { ...count(defaultOptions.judgedSource, 'Triplets of the source that are judged by.'), live: false },
  encoder_rate: {
    value: defaultOptions.encoderRate,
    range: [0, 1],
    text: "Factor on the encoder's learning rate; 0.0 freezes it, and updates stay small.",
  },
  ema_decay: { ...share(defaultOptions.emaDecay, 'Decay per step of the averaged weights.'), live: false },
  clip_norm: { value: defaultOptions.clipNorm, range: [0.001, 1000], text: 'Bound on the norm of the gradient.' },
  seed: { ...count(defaultOptions.seed, 'Of what is replayed.', 0), live: false },
} as const satisfies Record<string, ParameterSpec>;

/** Values of adaptation_node's parameters. */
export interface AdaptationParameters extends ImageParameters {
  readonly modelPath: string;
  readonly depthNode: string;
  /** Empty: not signed. */
  readonly privateKeyPath: string;
  readonly source: { readonly path: string; readonly cameraFile: string };
  readonly folder: string;
  readonly enabled: boolean;
  readonly threads: number;
  readonly niceness: number;
  readonly imageRows: number;
  /** Empty: none. */
  readonly twistTopic: string;
  readonly odometryTopic: string;
  /** As of now. */
  readonly savePeriod: number;
  readonly options: AdaptationOptions;
}

/** Declares all parameters on the node; throws ParameterError where one was given a value it must not have. */
export function declareAdaptationParameters(node: RosNode): AdaptationParameters {
  declareParameters(node, ADAPTATION_PARAMETERS);
  const fullName = `${node.namespace()}/${node.name()}`.replace(/^\/+/, '');
  return {
    modelPath: stringParameter(node, 'model') || defaultModelPath(),
    depthNode: stringParameter(node, 'depth_node'),
    privateKeyPath: stringParameter(node, 'private_key'),
    source: { path: stringParameter(node, 'source'), cameraFile: stringParameter(node, 'source_camera') },
    folder: stringParameter(node, 'folder') || join(cacheFolder(), 'adaptation', fullName),
    enabled: booleanParameter(node, 'enabled'),
    threads: numberParameter(node, 'threads'),
    niceness: numberParameter(node, 'niceness'),
    imageRows: numberParameter(node, 'image_rows'),
    ...imageParameters(node),
    twistTopic: stringParameter(node, 'twist_topic'),
    odometryTopic: stringParameter(node, 'odometry_topic'),
    get savePeriod() {
      return numberParameter(node, 'save_period');
    },
    get options() {
      return checkOptions(optionsOf((name) => numberParameter(node, name)));
    },
  };
}

function optionsOf(valueOf: (name: string) => number): Partial<AdaptationOptions> {
  const options = Object.entries(OPTIONS).map(([name, option]) => [option, valueOf(name)] as const);
  const terms = Object.keys(losses).map((term) => [term, valueOf(LOSS_PREFIX + term)] as const);
  return { ...Object.fromEntries(options), losses: Object.fromEntries(terms) };
}

/**
 * The learner's options with one parameter changed; undefined where it is none of the learner's.
 *
 * @throws Error naming the option that does not go with the others
 */
export function withParameter(
  current: AdaptationOptions,
  { name, value }: Pick<RosParameter, 'name' | 'value'>,
): AdaptationOptions | undefined {
  if (name in OPTIONS) return changeOptions(current, { [OPTIONS[name as OptionParameter]]: Number(value) });
  if (!name.startsWith(LOSS_PREFIX) || !(name in ADAPTATION_PARAMETERS)) return undefined;
  const term = name.slice(LOSS_PREFIX.length);
  return changeOptions(current, { losses: { ...current.losses, [term]: Number(value) } });
}
