import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTwin, type TwinOptions, type TwinReport, type TwinResult } from '../../src/adaptation/twin';
import { TWIN_FILES, writeTwin } from '../../src/adaptation/twinReport';
import { readLog } from '../../src/training/runFolder';
import { evening, RenderedDrive, smallModel } from '../support/renderedDrive';

const source = new RenderedDrive('source', 1, 30);
const model = smallModel();
const place = new RenderedDrive('place', 5, 24, evening);

async function run(change: TwinOptions = {}): Promise<TwinResult> {
  return runTwin(model, [source], place, {
    bufferMegabytes: 6,
    judgedSource: 2,
    judgedPlace: 2,
    leastJudged: 2,
    judgedEvery: 4,
    judgeEvery: 3,
    learningRate: 3e-4,
    emaDecay: 0.8,
    consistencyBand: 3,
    maxSourceRise: 0.05,
    measureEvery: 3,
    sourceTriplets: 2,
    ...change,
  });
}

test('adapts to a place frame by frame, writes its report, and comes to the same bytes again', async () => {
  const first = await run();
  const { report } = first;
  const { place_error: errors, source_error: held } = report;
  expect(report.promoted).toBeGreaterThan(0);
  expect(report.rolled_back).toBe(0);
  expect(errors.after).toBeLessThan(errors.before);
  expect(errors.after_first_half).toBeLessThan(errors.before);
  expect(errors.before).toBeLessThan(errors.unwarped);
  expect(held.after).toBeLessThan(1.05 * held.before);
  expect(report.steps).toBeGreaterThan(5);

  const out = mkdtempSync(join(tmpdir(), 'depthgrad-twin-'));
  await writeTwin(out, first, 'place, from source');
  const written = readFileSync(join(out, TWIN_FILES.model));
  expect(createHash('sha256').update(written).digest('hex')).toBe(report.sha256);
  const middle = readFileSync(join(out, TWIN_FILES.middle));
  expect(middle.equals(written)).toBe(false);
  expect(middle.equals(model)).toBe(false);
  expect(JSON.parse(readFileSync(join(out, TWIN_FILES.report), 'utf8')) as TwinReport).toEqual(report);
  const html = readFileSync(join(out, 'report.html'), 'utf8');
  expect(html).toContain('place, from source');
  expect(html).toContain('judged place error');
  expect(html).toContain('src="data:image/png;base64,');
  expect(html).not.toMatch(/https?:\/\//);
  const log = readLog(join(out, 'log.jsonl'));
  // Every measured frame was predicted before it was learned from: the first ones by the model as it was given.
  const predicted = log.filter((entry) => 'published/place error' in entry);
  expect(predicted[0]['published/place error']).toBe(predicted[0]['reference/place error']);
  expect(log.filter((entry) => 'learning/loss' in entry)).toHaveLength(report.steps);

  const again = await run();
  expect(again.report).toEqual(report);
  expect(Buffer.from(again.onnx).equals(written)).toBe(true);
});

test('a learner slower than the camera does less, and measures the same frames', async () => {
  const slow = await run({ stepsPerFrame: 0.25, judgeEvery: 1000 });
  // 24 frames at a quarter: 6 pieces of work, less those for which no triplet was there yet.
  expect(slow.report.steps).toBeGreaterThanOrEqual(4);
  expect(slow.report.steps).toBeLessThanOrEqual(6);
  expect(slow.report).toMatchObject({ promoted: 0, place_error: { triplets: 4 }, version: '2' });
  expect(slow.report.place_error.after).toBe(slow.report.place_error.before);
  expect(Buffer.from(slow.onnx).equals(model)).toBe(true);
});
