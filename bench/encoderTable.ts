/** The encoder bench's JSON file, and the table of docs/benchmarks.md made from it. */
import type { Percentiles } from '../src/demo/percentiles';
import { describeLoad, type Machine } from './machine';
import { alignedTable, type Marks } from '../src/markdown';

export interface DepthAccuracy {
  readonly frames: number;
  readonly abs_rel: number;
  /** Metres. */
  readonly rms: number;
  readonly a1: number;
}

export interface EncoderTimes {
  /** Bare session.run with an image of the network's size, milliseconds. */
  readonly threads_1: Percentiles;
  readonly threads_2: Percentiles;
}

export interface EncoderRow {
  readonly encoder: string;
  /** Started from ImageNet weights. */
  readonly imagenet: boolean;
  /** Weights of encoder and heads together. */
  readonly parameters: number;
  readonly train_seconds: number;
  readonly file_bytes: number;
  /** Of the exported model the figures belong to. */
  readonly sha256: string;
  /** Median-scaled, Eigen's protocol; null where the dataset is not on this machine. */
  readonly kitti: DepthAccuracy | null;
  /** Mean |u - u*| of fused log-disparity on the held-out rendered scenes, unscaled, the map enlarged to the scenes' size. */
  readonly synthetic_log_error: number;
  readonly session_run_ms: EncoderTimes;
}

export interface EncoderReport {
  readonly training: {
    readonly recipe: string;
    readonly seed: number;
    readonly steps: number;
    readonly batch_size: number;
    readonly height: number;
    readonly width: number;
    readonly samples: number;
  };
  /** Size of the exported models whose times are taken; accuracy is taken at the training's size. */
  readonly height: number;
  readonly width: number;
  readonly default_encoder: string;
  readonly kitti_dataset: string;
  /** The same depth everywhere: what any model must beat. */
  readonly kitti_constant: DepthAccuracy | null;
  readonly held_out: { readonly seed: number; readonly samples: number };
  readonly times: Machine & { readonly rounds: number; readonly seconds_per_measurement: number };
  readonly rows: readonly EncoderRow[];
}

export const ENCODER_MARKS: Marks = {
  begin: '<!-- encoders:begin (npm run bench:encoders writes what is between these two marks) -->',
  end: '<!-- encoders:end -->',
};

export function rowName({ encoder, imagenet }: Pick<EncoderRow, 'encoder' | 'imagenet'>): string {
  return imagenet ? `${encoder}-imagenet` : encoder;
}

export function encoderTable(report: EncoderReport): string {
  const { training, times, height, width } = report;
  const { recipe, steps, batch_size: batch, samples, seed } = training;
  // ImageNet's row comes first where there is one, and is the one in use.
  const chosen = report.rows.find((row) => row.encoder === report.default_encoder);
  const lines = [
    `Every row was trained by ${recipe} with seed ${seed}: the same ${steps} steps of ${batch} rendered scenes out of ${samples} at ` +
      `${training.width}x${training.height}, nothing frozen. Accuracy is taken at that size, file and times at ${width}x${height}, the size the nodes run. ` +
      'Only lite0 has ImageNet weights (resnet18 and dispnet have none under a permissive licence in the package registries), so it is there twice: ' +
      'the row without them is the one to compare with the other encoders.',
    '',
    ...alignedTable(
      [
        'encoder',
        'start',
        'parameters',
        'file',
        'KITTI abs_rel',
        'rms',
        'a1',
        'rendered log error',
        '1 thread',
        '2 threads',
      ],
      [...report.rows.map((row) => tableRow(row, row === chosen)), ...constantRow(report.kitti_constant)],
    ),
    '',
    `KITTI: ${kittiNote(report)}. Rendered log error: mean |u - u*| of log-disparity, unscaled, on ${report.held_out.samples} scenes of ` +
      `seed ${report.held_out.seed}, which no training sees. Times: bare session.run of one ${width}x${height} image, p50 / p95 in milliseconds, ` +
      `${times.rounds} alternating rounds of ${times.seconds_per_measurement} s; ${times.cpu}, ${times.cores} cores, Node ${times.node}, ` +
      `${describeLoad(times)}.`,
  ];
  return `${lines.join('\n')}\n`;
}

function tableRow(row: EncoderRow, isDefault: boolean): string[] {
  const { threads_1: one, threads_2: two } = row.session_run_ms;
  return [
    isDefault ? `**${row.encoder}** (default)` : row.encoder,
    row.imagenet ? 'ImageNet' : 'random',
    `${(row.parameters / 1e6).toFixed(2)} M`,
    `${(row.file_bytes / 1e6).toFixed(1)} MB`,
    ...accuracy(row.kitti),
    row.synthetic_log_error.toFixed(3),
    `${one.p50.toFixed(1)} / ${one.p95.toFixed(1)}`,
    `${two.p50.toFixed(1)} / ${two.p95.toFixed(1)}`,
  ];
}

function constantRow(constant: DepthAccuracy | null): string[][] {
  return constant ? [['one depth everywhere', '', '', '', ...accuracy(constant), '', '', '']] : [];
}

function accuracy(figures: DepthAccuracy | null): string[] {
  if (!figures) return ['', '', ''];
  return [figures.abs_rel.toFixed(3), `${figures.rms.toFixed(2)} m`, figures.a1.toFixed(3)];
}

function kittiNote({ kitti_dataset: name, kitti_constant: constant }: EncoderReport): string {
  return constant
    ? `${name}, ${constant.frames} frames, median-scaled, never trained on`
    : `not measured: ${name} was not there`;
}
