import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '../..');

/** One process, for the linter takes its time to read the types of the whole project. */
const LINT_ALL = `
  const { ESLint } = require('eslint');
  const eslint = new ESLint({ cwd: process.cwd() });
  const files = JSON.parse(process.argv[1]);
  (async () => {
    const said = [];
    for (const [filePath, text] of files)
      for (const { messages } of await eslint.lintText(text, { filePath }))
        said.push(messages.map(({ message }) => message).join('\\n'));
    console.log(JSON.stringify(said));
  })();`;

const UPWARD = [
  ['src/geometry/camera.ts', '../model/network', 'src/geometry must not import src/model'],
  ['src/model/network.ts', '../training/trainer', 'src/model must not import src/training'],
  ['src/training/trainer.ts', '../adaptation/learner', 'src/training must not import src/adaptation'],
  ['src/adaptation/learner.ts', '../inference/modelFile', 'src/adaptation must not import src/inference'],
] as const;
const DOWNWARD = ['src/model/network.ts', '../geometry/camera', ''] as const;

let said: string[];
beforeAll(() => {
  const files = [...UPWARD, DOWNWARD].map(([file, imported]) => [
    file,
    `import * as other from '${imported}';\nexport { other };\n`,
  ]);
  said = JSON.parse(
    execFileSync('node', ['-e', LINT_ALL, JSON.stringify(files)], { cwd: root, encoding: 'utf8' }),
  ) as string[];
}, 120_000);

test.each(UPWARD.map((one, i) => [...one, i] as const))(
  'the linter refuses that %s imports %s',
  (_, __, message, i) => {
    expect(said[i]).toContain(message);
  },
);

test('the linter lets the model import geometry', () => {
  expect(said[UPWARD.length]).toBe('');
});
