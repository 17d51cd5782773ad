/** Bags as rosbags and mcap-ros2-support see them (bagReaders.py). */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './ros';

export interface BagRow {
  topic: string;
  /** sensor_msgs/msg/Image */
  type: string;
  /** Time of reception, nanoseconds. */
  ns: string;
  /** CDR, base64. */
  raw: string;
  /** As the library decodes them. */
  fields?: unknown;
}

/** A message as it arrives: RTPS fills its bytes up to a multiple of four. */
export function filledUp(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]).toString('base64');
}

type Offer = [reliability: string, durability: string, history: string, depth: number];

function run(args: string[]): (BagRow & { offers?: Offer[] })[] {
  const python = process.env.DEPTHGRAD_BAG_PYTHON;
  if (!python) throw new Error('DEPTHGRAD_BAG_PYTHON is not set: npm test does it, or "source scripts/env.sh"');
  const script = join(ROOT, 'test', 'support', 'bagReaders.py');
  const { stdout, stderr, status } = spawnSync(python, [script, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(stderr);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BagRow);
}

/** Every message; `offers`: of each publisher, by topic. */
export function readByRosbags(path: string): { rows: BagRow[]; offers: Map<string, Offer[]> } {
  const lines = run(['rosbags', path]);
  const offers = new Map(lines.flatMap(({ topic, offers }) => (offers ? [[topic, offers] as const] : [])));
  return { rows: lines.filter((line) => !line.offers), offers };
}

export function readByMcapRos2(path: string): BagRow[] {
  return run(['mcap_ros2', path]);
}

/** A bag by rosbags, in a folder that is not there yet. */
export function writeByRosbags(folder: string, storage: 'mcap' | 'sqlite3'): BagRow[] {
  return run(['write', folder, storage]);
}
