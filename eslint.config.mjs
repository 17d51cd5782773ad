import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** The import direction of docs/architecture.md: what each folder may import besides itself. Entry points (src/demo, bench, src/cli.ts) see everything. */
const mayImport = {
  geometry: [],
  media: ['geometry'],
  model: ['geometry'],
  training: ['geometry', 'media', 'model'],
  adaptation: ['geometry', 'media', 'model', 'training'],
  inference: ['geometry'],
  odometry: ['geometry'],
  nodes: ['geometry', 'media', 'inference', 'odometry', 'adaptation'],
};
const folders = [...Object.keys(mayImport), 'demo', 'cli.ts'];

const zones = Object.entries(mayImport).flatMap(([folder, allowed]) =>
  folders
    .filter((other) => other !== folder && !allowed.includes(other))
    .map((other) => ({
      target: `./src/${folder}`,
      from: `./src/${other}`,
      message: `src/${folder} must not import src/${other}: see docs/architecture.md.`,
    })),
);

export default defineConfig(
  {
    ignores: [
      'dist/',
      'node_modules/',
      'coverage/',
      'runs/',
      'out/',
      'build/',
      'install/',
      'log/',
      '**/*.js',
      '!web/**/*.js',
      '**/*.mjs',
      '**/*.cjs',
    ],
  },
  {
    files: ['src/**/*.ts', 'bench/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.strict],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver({ project: './tsconfig.json' })] },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-cycle': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // Typed arrays are indexed inside their bounds all over the geometry: the assertion is what noUncheckedIndexedAccess would cost.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    // The dashboard's page: ES modules as the browser gets them.
    files: ['web/**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        (
          'document location localStorage devicePixelRatio performance console setTimeout addEventListener requestAnimationFrame createImageBitmap ' +
          'getComputedStyle URL Blob Option WebSocket TextDecoder ImageData IntersectionObserver ResizeObserver HTMLCanvasElement HTMLSelectElement ' +
          'Element Text'
        )
          .split(' ')
          .map((name) => [name, 'readonly']),
      ),
    },
    rules: {
      'no-undef': 'error',
      'no-unused-vars': 'error',
      'no-const-assign': 'error',
      'no-dupe-keys': 'error',
      'no-unreachable': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      eqeqeq: 'error',
    },
  },
);
