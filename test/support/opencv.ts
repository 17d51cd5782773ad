/** OpenCV as a referee (test/support/opencv.py). */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './ros';

/** Answers to commands of opencv.py, their arrays as base64. */
export function opencv<Answer>(commands: readonly object[]): Answer[] {
  const python = process.env.DEPTHGRAD_PYTHON;
  if (!python)
    throw new Error('no python with OpenCV in this environment: npm test has it, or "source scripts/env.sh"');
  const { status, stdout, stderr } = spawnSync(python, [join(ROOT, 'test', 'support', 'opencv.py')], {
    input: JSON.stringify(commands),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Answer[];
}

/** Bytes of an answer's array, at the beginning of a buffer of their own. */
export function bytes(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

/** How far two pictures are apart: mean, 99.9th percentile and largest difference of their bytes, where `counts` says so. */
export function difference(a: Uint8Array, b: Uint8Array, counts: (index: number) => boolean = () => true) {
  expect(a.length).toBe(b.length);
  const sorted = Array.from(a, (value, i) => (counts(i) ? Math.abs(value - b[i]) : -1)).filter((value) => value >= 0);
  sorted.sort((x, y) => x - y);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return { mean, p999: sorted[Math.floor(0.999 * sorted.length)], worst: sorted[sorted.length - 1] };
}
