/** Pictures of a pass through a new place for docs/benchmarks.md: the error over the frames, and depth before and after. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { TwinLogEntry, TwinReport } from '../src/adaptation/twin';
import { TWIN_FILES } from '../src/adaptation/twinReport';
import { drawFigure, type Line } from '../src/training/report/curves';
import { LOG_FILE } from '../src/training/runFolder';

/** Neighbouring triplets differ more than the models do. */
const TRIPLETS_AVERAGED = 25;
const DEPTH_WIDTH = 960;

export interface PlacePictures {
  /** Of the twin's run. */
  readonly run: string;
  readonly name: string;
  readonly images: string;
  /** Only where the recording's terms allow its pictures to be given away. */
  readonly withDepth: boolean;
}

/** Writes IMAGES/adaptation_NAME.svg and .webp. */
export async function writePlacePictures({ run, name, images, withDepth }: PlacePictures): Promise<void> {
  mkdirSync(images, { recursive: true });
  const report = JSON.parse(readFileSync(join(run, TWIN_FILES.report), 'utf8')) as TwinReport;
  const log = readFileSync(join(run, LOG_FILE), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TwinLogEntry);
  const path = join(images, `adaptation_${name}`);
  writeFileSync(`${path}.svg`, curve(log, report));
  if (withDepth) await sharp(join(run, TWIN_FILES.depth)).resize(DEPTH_WIDTH).webp().toFile(`${path}.webp`);
}

function curve(log: readonly TwinLogEntry[], { judgements }: TwinReport): string {
  const frameOf = (step: number): number => log.find((entry) => entry.step >= step)?.frame ?? 0;
  const promotions = judgements.filter(({ verdict }) => verdict === 'promoted').map(({ step }) => frameOf(step));
  const lines = new Map(
    ['reference', 'published'].map((model) => [model, averaged(log, `${model}/place error`)] as const),
  );
  const name = 'photometric error by frame';
  const svg = drawFigure({ name, lines }, { end: log[log.length - 1].frame, borders: promotions });
  return `${svg.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"')}\n`;
}

function averaged(log: readonly TwinLogEntry[], figure: string): Line {
  const measured = log.filter((entry) => figure in entry);
  return measured.slice(TRIPLETS_AVERAGED - 1).map(({ frame }, i) => {
    const window = measured.slice(i, i + TRIPLETS_AVERAGED);
    return [frame, window.reduce((sum, entry) => sum + entry[figure], 0) / window.length];
  });
}
