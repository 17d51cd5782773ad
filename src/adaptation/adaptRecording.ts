/** The offline twin of the adaptation on the vehicle, as `depthgrad adapt` runs it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { resolveFile } from '../paths';
import type { PreparedDrive } from '../training/datasets/prepared';
import { makeRunFolder, REPORT_FILE } from '../training/runFolder';
import type { AdaptationOptions } from './options';
import { openDrive } from './sourceDrives';
import { runTwin } from './twin';
import { TWIN_FILES, writeTwin } from './twinReport';

export interface AdaptFlags {
  model: string;
  source: string[];
  target: string;
  out: string;
  camera: string;
  sourceCamera?: string;
  seed: number;
  stepsPerFrame: number;
  measureEvery: number;
  sourceTriplets: number;
  set: Partial<AdaptationOptions>;
}

/** Adapts, writes the report and prints the figures. */
export async function adaptRecording(flags: AdaptFlags): Promise<void> {
  const { model, source, target, out, camera, sourceCamera = camera, set, ...options } = flags;
  makeRunFolder(out);
  const onnx = readFileSync(resolveFile(model));
  const sources: PreparedDrive[] = [];
  for (const path of source) sources.push(await openDrive(path, sourceCamera));
  const drive = await openDrive(target, camera);
  const bar = new SingleBar({
    format: 'adapt [{bar}] {value}/{total} frames, {eta_formatted} left',
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 10_000,
  });
  bar.start(drive.count, 0);
  try {
    const result = await runTwin(onnx, sources, drive, {
      ...options,
      ...set,
      onFrame: (done) => bar.update(done),
      onWarning: (message) => console.error(`adapt: ${message}`),
    });
    await writeTwin(out, result, `${drive.name}, from ${sources.map(({ name }) => name).join(', ')}`);
    const { place_error: place, source_error: held, promoted, rolled_back: rolledBack, steps, sha256 } = result.report;
    const figure = ({ before, after }: { before: number; after: number }): string =>
      `${before.toFixed(4)} -> ${after.toFixed(4)} (${(100 * (after / before - 1)).toFixed(1)} %)`;
    console.log(`${steps} steps, ${promoted} promoted, ${rolledBack} rolled back`);
    console.log(`place, second half: ${figure(place)}; source, held out: ${figure(held)}`);
    console.log(`${join(out, TWIN_FILES.model)}: sha256 ${sha256}; report ${join(out, REPORT_FILE)}`);
  } finally {
    bar.stop();
    for (const one of [...sources, drive]) one.close();
  }
}
