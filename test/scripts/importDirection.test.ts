import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '../..');

function lint(file: string, source: string): string {
  const eslint = join(root, 'node_modules/eslint/bin/eslint.js');
  return spawnSync('node', [eslint, '--stdin', '--stdin-filename', file], {
    cwd: root,
    input: source,
    encoding: 'utf8',
  }).stdout;
}

test.each([
  ['src/geometry/camera.ts', '../model/network', 'src/geometry must not import src/model'],
  ['src/model/network.ts', '../training/trainer', 'src/model must not import src/training'],
  ['src/training/trainer.ts', '../adaptation/learner', 'src/training must not import src/adaptation'],
  ['src/adaptation/learner.ts', '../inference/modelFile', 'src/adaptation must not import src/inference'],
])('the linter refuses that %s imports %s', (file, imported, message) => {
  expect(lint(file, `import * as upward from '${imported}';\nexport { upward };\n`)).toContain(message);
});

test('the linter lets the model import geometry', () => {
  expect(lint('src/model/network.ts', "import * as downward from '../geometry/camera';\nexport { downward };\n")).toBe(
    '',
  );
});
