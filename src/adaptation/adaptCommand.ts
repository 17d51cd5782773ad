/** `depthgrad adapt`. */
import { InvalidArgumentError, type Command } from 'commander';
import { count, positive, positiveInteger, SAMPLE_CAMERA } from '../training/flags';
import type { AdaptFlags } from './adaptRecording';
import { defaultOptions, type AdaptationOptions } from './options';

/** `learningRate=2e-4`, `losses.photometric=1`; what is no option is refused by the learner, which names it. */
function setOption(text: string, before: Partial<AdaptationOptions> = {}): Partial<AdaptationOptions> {
  const match = /^(?:(losses)\.)?([A-Za-z_]+)=(.+)$/.exec(text);
  const value = Number(match?.[3] ?? NaN);
  if (!match || Number.isNaN(value))
    throw new InvalidArgumentError('it has the form name=number or losses.term=number');
  const [, losses, name] = match;
  if (!losses) return { ...before, [name]: value };
  return { ...before, losses: { ...(before.losses ?? defaultOptions.losses), [name]: value } };
}

export function registerAdapt(program: Command): void {
  program
    .command('adapt')
    .description('adapt a model to a recording as on the vehicle, without ROS: the same learner, bit-exact for a seed')
    .requiredOption('--model <file>', 'model that depthgrad export wrote: start and frozen reference')
    .requiredOption('--source <recordings...>', 'what it was trained on: replayed, and judged by')
    .requiredOption('--target <recording>', 'the new place, frame by frame: video, bag, folder or data set')
    .requiredOption('--out <dir>', 'folder for model.onnx, model_half.onnx, report.json, report.html, log.jsonl')
    .option('--camera <yaml>', 'camera file of recordings that have none of their own', SAMPLE_CAMERA)
    .option('--source-camera <yaml>', 'the same for the source, where it is another (default: --camera)')
    .option('--seed <n>', 'of what is replayed', count, defaultOptions.seed)
    .option(
      '--steps-per-frame <n>',
      'pieces of work per frame; 0.04 is one a second at 25 frames a second',
      positive,
      1,
    )
    .option('--measure-every <n>', 'measure every n-th triplet of the target', positiveInteger, 2)
    .option('--source-triplets <n>', 'of the held-out part, measured before and after', positiveInteger, 40)
    .option('--set <name=value>', 'a parameter of docs/adaptation.md; may be given again', setOption)
    .action(async (flags: AdaptFlags) => {
      const { adaptRecording } = await import('./adaptRecording.js');
      await adaptRecording(flags);
    });
}
