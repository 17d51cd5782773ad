import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Learner, type LearnerOptions, type ModelUpdate, type StepReport } from '../../src/adaptation/learner';
import { parseModelFromOnnx } from '../../src/model/onnx/loadOnnx';
import { readSafetensors, writeSafetensors } from '../../src/model/safetensors';
import { evening, RenderedDrive, smallModel } from '../support/renderedDrive';

const source = new RenderedDrive('source', 1, 30);
const place = new RenderedDrive('place', 5, 24, evening);
const model = smallModel();
const learners: Learner[] = [];

afterEach(() => learners.splice(0).forEach((learner) => learner.dispose()));

/** A learner that judges often, with everything it says. */
function start(options: LearnerOptions = {}, drives: readonly RenderedDrive[] | null = [source]) {
  const learner = new Learner(model, {
    bufferMegabytes: 6,
    judgedSource: 2,
    judgedPlace: 2,
    leastJudged: 2,
    judgedEvery: 4,
    judgeEvery: 3,
    ...options,
  });
  learners.push(learner);
  const said = {
    promoted: [] as ModelUpdate[],
    rolledBack: [] as { reason: string; update?: ModelUpdate }[],
    paused: [] as string[],
    warnings: [] as string[],
  };
  learner.on('promoted', (update) => said.promoted.push(update));
  learner.on('rolledBack', (event) => said.rolledBack.push(event));
  learner.on('paused', ({ reason }) => said.paused.push(reason));
  learner.on('warning', ({ message }) => said.warnings.push(message));
  if (drives) learner.addSource(drives);
  return { learner, said };
}

/** Drives through the place again and again until `until`, at most `steps` pieces of work. */
function drive(learner: Learner, until: () => boolean, steps = 60): StepReport[] {
  const reports: StepReport[] = [];
  const image = new Uint8Array(3 * place.width * place.height);
  const { width, height, intrinsics } = place;
  for (let frame = 0; reports.length < steps && !until(); frame++) {
    place.readFrame(frame % place.count, image);
    learner.push({ image, width, height, intrinsics, stamp: frame / 10 });
    const report = learner.step();
    if (report) reports.push(report);
    else if (learner.status().state !== 'learning') break;
  }
  return reports;
}

test('learns the place, keeps the source, and promotes averaged weights with their pedigree', () => {
  const { learner, said } = start({ learningRate: 3e-4, emaDecay: 0.8, maxSourceRise: 0.05, consistencyBand: 3 });
  const reports = drive(learner, () => said.promoted.length > 0);
  expect(said.promoted).toHaveLength(1);
  const [{ onnx, sha256, version, parent, changed }] = said.promoted;
  expect(sha256).toBe(createHash('sha256').update(onnx).digest('hex'));
  expect(parent).toBe(createHash('sha256').update(model).digest('hex'));
  expect(version).toBe('2+adapted.1');
  expect(changed).toEqual(['depth', 'gradient', 'pose']);
  const judgement = reports.find((report) => report.judgement?.verdict === 'promoted')!.judgement!;
  expect(judgement.candidate.place.error).toBeLessThan(judgement.reference.place.error);
  expect(judgement.candidate.source.error).toBeLessThan(1.05 * judgement.reference.source.error);
  const [before, after] = [model, onnx].map((bytes) => parseModelFromOnnx(bytes));
  const weights = after.network.getWeights();
  const same = [...before.network.getWeights()].filter(([name, values]) =>
    values.every((x, i) => x === weights.get(name)![i]),
  );
  expect(same.map(([name]) => name).every((name) => name.startsWith('encoder/'))).toBe(true);
  expect(same.length).toBeGreaterThan(50);
  expect(after.metadata).toEqual({ ...before.metadata, version, parentSha256: parent });
  const status = learner.status();
  expect(status).toMatchObject({ state: 'learning', promoted: 1, rolledBack: 0, version, sha256 });
  expect(status.buffer.bytes).toBeLessThanOrEqual(status.buffer.limit);
  expect(status.placeError!.candidate).toBe(judgement.candidate.place.error);
  expect(Object.keys(status.losses)).toEqual(
    expect.arrayContaining(['photometric', 'reference_depth', 'scale_anchor', 'loss', 'gradient_norm']),
  );
  for (const { network } of [before, after]) network.dispose();

  // What is published can be withdrawn: the reference comes back as it was.
  learner.reset();
  expect(said.rolledBack[0]).toMatchObject({ reason: 'reset to factory', update: { parent: sha256, version: '2' } });
  expect(said.rolledBack[0].update!.onnx).toBe(model);
  expect(learner.weights.published).toBe(learner.weights.reference);
});

test('a candidate is judged by frames of the place that came after it', () => {
  const { learner } = start({ judgedPlace: 6, judgeEvery: 9, leastJudged: 2, judgedEvery: 4 });
  const reports = drive(learner, () => learner.status().placeError !== undefined);
  // Of triplets 1, 5, 9, ... that are judged by, three have come by the ninth step; two more are waited for, while learning goes on.
  expect(learner.status()).toMatchObject({ step: 12, buffer: { judgedPlace: 5 } });
  expect(reports[reports.length - 1].judgement).toBeDefined();
});

test('a step that is no number is undone at once, and after three adaptation pauses until it is resumed', () => {
  const { learner, said } = start({ maxRollbacks: 3, judgeEvery: 1000 });
  const states: string[] = [];
  learner.on('rolledBack', () => states.push(learner.status().state)); // which is what would be saved then
  const before = learner.weights.published;
  learner.setOptions({ learningRate: 1e30 });
  drive(learner, () => learner.status().state === 'paused');
  expect(said.rolledBack).toHaveLength(3);
  expect(states).toEqual(['learning', 'learning', 'paused']);
  for (const { reason, update } of said.rolledBack) {
    expect(reason).toMatch(/(loss|norm) is (NaN|Infinity) at step/);
    expect(update).toBeUndefined();
  }
  expect(said.paused).toEqual([expect.stringMatching(/^rolled back 3 times without a promotion.* is (NaN|Infinity)/)]);
  expect(learner.status()).toMatchObject({ state: 'paused', reason: said.paused[0], rolledBack: 3, promoted: 0 });
  expect(drive(learner, () => false)).toEqual([]);
  expect(learner.weights.published).toBe(before);

  learner.resume();
  learner.setOptions({ learningRate: 1e-5 });
  const [report] = drive(learner, () => learner.status().step > said.rolledBack.length * 2 + 1);
  expect(Number.isFinite(report.loss)).toBe(true);
});

test('a candidate whose depth has run away is rolled back to the published weights', () => {
  const { learner, said } = start({ learningRate: 0.02, emaDecay: 0, losses: { photometric: 1 } });
  drive(learner, () => said.rolledBack.length > 0);
  expect(said.promoted).toEqual([]);
  expect(said.rolledBack[0].reason).toMatch(/scale|error|disagree/);
  // Learning starts again from what is published: a judgement of it now would find the reference.
  learner.setOptions({ learningRate: 0 });
  let reports: StepReport[] = [];
  while (!reports.some(({ judgement }) => judgement) && reports.length < 12)
    reports = [...reports, ...drive(learner, () => false, 1)];
  const { candidate, reference } = reports.find((report) => report.judgement)!.judgement!;
  expect(candidate.place.error).toBeCloseTo(reference.place.error, 6);
});

test('state and buffer go on after a restart; a damaged state is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-learner-'));
  const options = { folder, learningRate: 3e-4, emaDecay: 0.8, maxSourceRise: 0.05, consistencyBand: 3 };
  const first = start(options);
  drive(first.learner, () => first.said.promoted.length > 0);
  first.learner.save();
  const { buffer, ...status } = first.learner.status();
  expect(status.promoted).toBe(1);

  const second = start(options, null);
  // Without source frames of its own it takes those on disk.
  expect(second.learner.restore()).toBe(true);
  expect(second.learner.status().buffer).toEqual(buffer);
  const { step, version, sha256, promoted } = second.learner.status();
  expect({ step, version, sha256, promoted }).toEqual({
    step: status.step,
    version: status.version,
    sha256: status.sha256,
    promoted: 1,
  });
  expect(createHash('sha256').update(second.learner.model().onnx).digest('hex')).toBe(sha256);
  expect(drive(second.learner, () => false, 2).length).toBe(2);

  truncateSync(join(folder, 'state.safetensors'), 1000);
  const third = start(options, null);
  expect(third.learner.restore()).toBe(false);
  expect(third.said.warnings).toEqual([expect.stringContaining('state.safetensors')]);
  expect(third.learner.status().buffer.source).toBe(buffer.source);
  expect(readdirSync(folder).sort()).toEqual(['buffer', 'state.safetensors.old']);

  // Where nothing was promoted, what is published after a restart is the model given.
  drive(third.learner, () => third.learner.status().step > 0);
  third.learner.save();
  const { learner } = start(options, null);
  expect(learner.restore()).toBe(true);
  expect(learner.weights.published).toBe(learner.weights.reference);
});

test.each([
  ['promoted', -1],
  ['refused', 2 ** 32],
  ['step', -1],
])('a state whose count %s is %d is damaged: no status could say it', (name, count) => {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-learner-'));
  start({ folder }, null).learner.save();
  const path = join(folder, 'state.safetensors');
  const { tensors, metadata } = readSafetensors(path);
  const counts = JSON.stringify({ ...(JSON.parse(metadata.counts) as object), [name]: count });
  writeSafetensors(path, tensors, { ...metadata, counts });
  const { learner, said } = start({ folder }, null);
  expect(learner.restore()).toBe(false);
  expect(said.warnings).toEqual([expect.stringContaining(name)]);
  expect(learner.status()).toMatchObject({ step: 0, promoted: 0, refused: 0 });
  expect(readdirSync(folder)).toContain('state.safetensors.old');
});

test('a damaged state that cannot be put aside, and a leftover that cannot be deleted, are named and no end', () => {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-learner-'));
  writeFileSync(join(folder, 'state.safetensors'), 'damaged');
  for (const name of ['state.safetensors.old', 'state.safetensors.123.tmp'])
    mkdirSync(join(folder, name, 'x'), { recursive: true });
  const { learner, said } = start({ folder }, null);
  expect(learner.restore()).toBe(false);
  expect(said.warnings).toEqual([
    expect.stringContaining('state.safetensors.123.tmp'),
    expect.stringContaining('adaptation starts from the model anew'),
    expect.stringContaining('state.safetensors.old'),
  ]);
});

test('the limit of the buffer is a whole number of bytes, as the status has to say it', () => {
  expect(start({ bufferMegabytes: 6.3 }, null).learner.status().buffer.limit).toBe(Math.floor(6.3 * 2 ** 20));
});

test('without source frames it waits and says so', () => {
  const { learner } = start({}, null);
  expect(drive(learner, () => false, 3)).toEqual([]);
  expect(learner.status()).toMatchObject({ state: 'waiting', reason: expect.stringContaining('no source frames') });
});

test('frames and models that do not fit are refused by name', () => {
  const { learner } = start();
  const { width, height, intrinsics } = place;
  const image = new Uint8Array(3 * width * height);
  expect(() => learner.push({ image: image.subarray(3), width, height, intrinsics, stamp: 0 })).toThrow(/image has/);
  expect(() => learner.push({ image, width, height, intrinsics: { ...intrinsics, width: 1 }, stamp: 0 })).toThrow(
    /intrinsics are of 1/,
  );
  expect(() => learner.push({ image, width, height, intrinsics, stamp: NaN })).toThrow(/stamp is NaN/);
  expect(() => new Learner(model.subarray(0, 1000))).toThrow(/truncated or no ONNX file/);
  expect(() => start({ learningRate: -1 })).toThrow(/learningRate/);
});

test('begins no step before the period is over', () => {
  const { learner } = start({ stepsPerTriplet: 2 });
  drive(learner, () => learner.status().step > 0);
  learner.setOptions({ stepPeriod: 3600 });
  expect(learner.step()).toMatchObject({ step: 2 });
  expect(learner.wantsTriplet).toBe(false);
  expect(learner.step()).toBeUndefined();
});

test('nor after it took in a triplet to judge by', () => {
  const { learner } = start({ stepPeriod: 3600 });
  const image = new Uint8Array(3 * place.width * place.height);
  const { width, height, intrinsics } = place;
  for (let frame = 0; learner.status().triplets === 0; frame++) {
    place.readFrame(frame, image);
    learner.push({ image, width, height, intrinsics, stamp: frame / 10 });
  }
  expect(learner.step()).toBeUndefined();
  expect(learner.status().buffer.judgedPlace).toBe(1);
  expect(learner.wantsTriplet).toBe(false);
});

test('rests by its duty cycle', () => {
  const { learner } = start({ stepsPerTriplet: 2 });
  drive(learner, () => learner.status().step > 0);
  learner.setOptions({ dutyCycle: 0.001 });
  expect(learner.step()).toMatchObject({ step: 2 });
  learner.setOptions({ stepsPerTriplet: 3 });
  // The triplet is to be learned from once more, but only after a thousand times as long.
  expect(learner.step()).toBeUndefined();
  learner.setOptions({ dutyCycle: 1 });
  expect(learner.step()).toBeUndefined();
});
