/** `depthgrad record`: topics into an MCAP file. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ChunkCompression } from '../media/bag/mcapWriter';

interface RecordFlags {
  topics?: string[];
  all?: boolean;
  compression: ChunkCompression;
  duration?: number;
  maxSize?: number;
  force?: boolean;
}

/** What setTimeout takes, 24.8 days: from there on it fires at once. */
const LONGEST_SECONDS = Math.floor((2 ** 31 - 1) / 1000);

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('it must be a number above 0');
  return value;
}

function duration(text: string): number {
  const seconds = positiveNumber(text);
  if (seconds > LONGEST_SECONDS)
    throw new InvalidArgumentError(`at most ${LONGEST_SECONDS} (24 days); without it, recording ends with Ctrl-C`);
  return seconds;
}

async function record(file: string | undefined, flags: RecordFlags): Promise<void> {
  // `--topics /a /b FILE.mcap` takes the file for a topic
  const topics = [...(flags.topics ?? [])];
  const path = file ?? topics.pop();
  if (!path?.endsWith('.mcap')) throw new Error('record: name the file last, FILE.mcap');
  if (flags.all ? topics.length > 0 : topics.length === 0)
    throw new Error('record: give --topics with the topics, or --all');
  // ROS is loaded by this command alone: the others run where there is none.
  const recorder = await import('./recorder.js');
  await recorder.record({
    path,
    topics: flags.all ? undefined : topics,
    compression: flags.compression,
    overwrite: flags.force === true,
    seconds: flags.duration,
    bytes: flags.maxSize === undefined ? undefined : flags.maxSize * 1e6,
  });
}

export function registerRecord(program: Command): void {
  program
    .command('record')
    .description(
      'record topics into an MCAP file that rosbag2 and rosbags read; what is killed leaves a file that can be read',
    )
    .argument('[file]', 'FILE.mcap')
    .option('--topics <topics...>', 'topics to record, also those that appear later')
    .option('--all', 'every topic, hidden ones left out')
    .addOption(new Option('--compression <kind>', 'of the chunks').choices(['none', 'zstd']).default('zstd'))
    .option('--duration <seconds>', 'end after so many seconds', duration)
    .option('--max-size <megabytes>', 'end when the file is as large', positiveNumber)
    .option('--force', 'write over a file that is there')
    .action(record);
}
