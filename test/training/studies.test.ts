/** A study from its YAML file to the table, with real trainings of two steps. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { stringify } from 'yaml';
import { lossTerms } from '../../src/training/losses';
import { shortNumber, resultSections } from '../../src/training/studies/resultTable';
import { runStudy } from '../../src/training/studies/runStudy';
import { judge, readResults, readStudy } from '../../src/training/studies/study';
import { STUDIES_FOLDER, studyNames } from '../../src/training/studies/studyFiles';
import { makeStereoDepthFolder } from '../support/measuredScenes';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'depthgrad-studies-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const stage = { name: 'a', steps: 2, height: 32, width: 64, batch_size: 2, learning_rate: 1e-3 };
const recipe = {
  name: 'tiny',
  description: 'two steps',
  network: { encoder: 'dispnet', height: 32, width: 64 },
  data: { measured: ['made'] },
  validation: { every: 0 },
  stages: [{ ...stage, mix: { measured: 1 }, losses: { berhu_inverse_depth: 1, smoothness: 0.1 } }],
  log_every: 1,
};

test('a study trains its variants, measures them and judges its claims; a second time nothing is trained', async () => {
  const made = await makeStereoDepthFolder(join(root, 'data'), 10);
  const recipeFile = join(root, 'tiny.yaml');
  writeFileSync(recipeFile, stringify(recipe));
  const file = join(root, 'study.yaml');
  writeFileSync(
    file,
    stringify({
      name: 'tiny',
      recipe: recipeFile,
      question: 'Does it run?',
      set: { 'data.measured': [basename(made)] },
      variants: [
        { name: 'constant', baseline: 'constant' },
        { name: 'one', description: 'as it is' },
        { name: 'other', set: { 'stages.0.losses.smoothness': null, 'stages.0.steps': 1 } },
      ],
      measure: [
        { name: 'all', dataset: basename(made), crop: 'none', figures: ['abs_rel', 'frames'] },
        { name: 'head', dataset: basename(made), part: 'heldOut', crop: 'none', depth_head: true, figures: ['frames'] },
      ],
      log: { smooth: 'measured/smoothness' },
      claims: [
        { text: 'ten frames', of: 'one all frames', above: ['9.5'], below: ['10.5'] },
        { text: 'longer', of: 'other steps', above: ['one steps'] },
      ],
    }),
  );
  const cache = process.env.DEPTHGRAD_CACHE;
  process.env.DEPTHGRAD_CACHE = join(root, 'cache');
  try {
    const options = { out: join(root, 'runs'), data: join(root, 'data') };
    const result = await runStudy(readStudy(file), options);
    expect(result.rows.map(({ variant, recipe: made }) => [variant, made])).toEqual([
      ['constant', null],
      ['one', 'tiny'],
      ['other', 'tiny'],
    ]);
    const [constant, one, other] = result.rows.map(({ figures }) => figures);
    expect(Object.keys(constant)).toEqual(['all abs_rel', 'all frames']);
    expect(one).toMatchObject({ steps: 2, 'all frames': 10, 'head frames': 2 });
    expect(one.smooth).toBeGreaterThan(0);
    expect(other).toMatchObject({ steps: 1, smooth: null });
    expect(other.parameters).toBe(one.parameters);
    expect(result.claims.map(({ holds }) => holds)).toEqual([true, false]);
    const text = resultSections([result]);
    expect(text).toContain('- Holds: ten frames (10 < 10.5 > 9.5).');
    expect(text).toContain('- **Does not hold**: longer (1 > 2).');
    const folders = readdirSync(options.out);
    await runStudy(readStudy(file), { ...options, only: ['one'] });
    expect(readdirSync(options.out)).toEqual(folders);
  } finally {
    if (cache === undefined) delete process.env.DEPTHGRAD_CACHE;
    else process.env.DEPTHGRAD_CACHE = cache;
  }
}, 300_000);

test('the studies that come with the package are valid, and so are their results', () => {
  for (const name of studyNames()) {
    const study = readStudy(join(STUDIES_FOLDER, `${name}.yaml`));
    expect(study.name).toBe(name);
    for (const { set } of study.variants)
      for (const [path, value] of Object.entries(set))
        if (path.endsWith('.losses'))
          for (const term of Object.keys(value as object)) expect([...lossTerms.keys()]).toContain(term);
  }
  for (const { study, claims } of readResults()) {
    expect(studyNames()).toContain(study);
    expect(claims).toHaveLength(readStudy(join(STUDIES_FOLDER, `${study}.yaml`)).claims.length);
  }
});

test('a claim about what was not measured, and a study with a misspelt field, are named', () => {
  const row = { variant: 'a', description: '', recipe: null, figures: { x: 1, 'y z': null } };
  expect(judge([{ text: 't', of: 'a x', below: ['1.5'] }], [row])).toEqual([
    { text: 't', holds: true, figures: '1 < 1.5' },
  ]);
  expect(() => judge([{ text: 't', of: 'a y z' }], [row])).toThrow(/"a y z", which was not measured/);
  mkdirSync(join(root, 'bad'), { recursive: true });
  const file = join(root, 'bad', 'bad.yaml');
  writeFileSync(file, 'name: bad\nrecipe: r\nquestion: q\nvariant: []\n');
  expect(() => readStudy(file)).toThrow(/bad\.yaml is not valid[^]*variants/);
  const study = (figure: string, claim: string): string =>
    stringify({
      name: 'bad',
      recipe: 'r',
      question: 'q',
      variants: [{ name: 'flat', baseline: 'constant' }, { name: 'a' }],
      measure: [{ name: 'held out', dataset: 'd', figures: [figure] }],
      claims: [{ text: 't', of: claim, below: ['0.3'] }],
    });
  writeFileSync(file, study('abs_rle', 'a held out abs_rle'));
  expect(() => readStudy(file)).toThrow(/bad\.yaml is not valid[^]*abs_rel[^]*figures/);
  for (const claim of ['b held out abs_rel', 'a held out rms', 'flat steps']) {
    writeFileSync(file, study('abs_rel', claim));
    expect(() => readStudy(file)).toThrow(`bad.yaml: a claim is about "${claim}"; VARIANT FIGURE is needed`);
  }
  writeFileSync(file, study('abs_rel', 'a steps'));
  expect(readStudy(file).claims).toHaveLength(1);
  expect([1234567, 0.25812, 24.96, 250.44].map(shortNumber)).toEqual(['1,234,567', '0.258', '25', '250.4']);
});
