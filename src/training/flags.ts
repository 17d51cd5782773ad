/** What the commands' options share: number checks and the sample drives. */
import { InvalidArgumentError } from 'commander';

export const SAMPLE_DRIVES = ['project_video03.mp4', 'challenge02.mp4', 'challenge03.mp4'];
export const SAMPLE_CAMERA = 'config/cameras/udacity.yaml';

export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('a number above 0 is needed');
  return value;
}

export function positiveInteger(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('a whole number is needed');
  return value;
}

export function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('0 or a whole number above it is needed');
  return value;
}
