/** `depthgrad evaluate`. */
import { Option, type Command } from 'commander';
import { positive, positiveInteger, SAMPLE_CAMERA, SAMPLE_DRIVES } from '../flags';
import type { EvaluateFlags } from './evaluateFlags';
import { DEPTH_SCALINGS, EIGEN_PROTOCOL } from './metrics';
import { KITTI_LENGTHS } from './trajectory';

export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description(
      'measure a model: against true depth (--dataset), a true path (--trajectory), or on the held-out ends of drives (--heldout)',
    )
    .option('--model <file>', 'model as depthgrad export writes it')
    .option(
      '--run <dir>',
      'run folder of depthgrad train, of any network: averaged weights at the recipe’s network size',
    )
    .option('--best', 'of the run: the checkpoint with the lowest validation figure (default: the last one)')
    .option('--depth-head', 'of the run: the depth head alone, before the fusion')
    .addOption(
      new Option('--baseline <name>', 'measure this instead of a model').choices([
        'constant',
        'ground-plane',
        'straight-ahead',
      ]),
    )
    .option('--dataset <recording>', 'recording with measured depth, in any layout of docs/datasets.md')
    .option('--heldout [recordings...]', `last fifth of these drives (default: ${SAMPLE_DRIVES.join(', ')})`)
    .option(
      '--trajectory <recording>',
      'any recording with poses: errors of the path that the ego-motions add up to (ATE, RPE, drift, 5-frame snippets)',
    )
    .option('--plot <png>', 'of the trajectory: draw the true and the estimated path seen from above')
    .option('--tum <file>', 'of the trajectory: write the estimated path in TUM form, for evo')
    .option('--tum-truth <file>', 'of the trajectory: write the true path in TUM form, from the same origin')
    .option(
      '--lengths <list>',
      'of the segments whose drift is measured, metres',
      (text) => text.split(',').map(positive),
      [...KITTI_LENGTHS],
    )
    .addOption(
      new Option(
        '--part <part>',
        'which frames (default: heldOut with --heldout, else all); settle choices on train, or the held-out part is none any more',
      ).choices(['all', 'train', 'heldOut']),
    )
    .option('--camera <yaml>', 'camera file of recordings that have none of their own', SAMPLE_CAMERA)
    .option(
      '--strides <list>',
      'frames between source and target',
      (text) => text.split(',').map(positiveInteger),
      [1, 2, 3],
    )
    .option('--every <n>', 'take every n-th frame of the part (default: 5; a trajectory: 1)', positiveInteger)
    .option('--min-depth <m>', 'nearest ground truth counted', positive, EIGEN_PROTOCOL.minDepth)
    .option('--max-depth <m>', 'farthest ground truth counted; 10 indoors', positive, EIGEN_PROTOCOL.maxDepth)
    .addOption(new Option('--crop <part>', 'part of the image counted').choices(['garg', 'none']).default('garg'))
    .addOption(
      new Option(
        '--scale <kind>',
        'median: scale each map by the medians (a trajectory: by its Sim(3) fit); affine: fit scale and shift of its disparity; none: it is metric',
      )
        .choices(DEPTH_SCALINGS)
        .default('median'),
    )
    .option('--threads <n>', 'compute threads', positiveInteger, 2)
    .addOption(new Option('--format <kind>', 'how to print').choices(['json', 'text']).default('text'))
    .action(async (flags: EvaluateFlags) => {
      // A bare --heldout arrives as true.
      const heldout = (flags.heldout as unknown) === true ? [] : flags.heldout;
      const { evaluate } = await import('./evaluateFlags.js');
      await evaluate({ ...flags, heldout });
    });
}
