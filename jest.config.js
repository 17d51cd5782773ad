/** Unit tests run from TypeScript through swc; tests in test/ros start real processes from dist/, so build first (npm test does). */
module.exports = {
  testEnvironment: '<rootDir>/test/support/nodeEnvironment.js',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, sourceMaps: 'inline' }],
    '/node-av/.+\\.js$': '<rootDir>/test/support/nodeAvTransform.js',
    '/h5wasm/.+\\.js$': ['@swc/jest', { jsc: { target: 'es2022' } }],
  },
  // Its package.json offers the file to ES modules only, and jest loads CommonJS.
  moduleNameMapper: { '^h5wasm/node$': '<rootDir>/node_modules/h5wasm/dist/node/hdf5_hl.js' },
  transformIgnorePatterns: ['/node_modules/(?!(node-av|h5wasm)/)'],
  testTimeout: 120000,
  maxWorkers: 1,
  // One process for all 190 files grows to 1.4 GB, and ran the later ones at a third of their speed: a new one takes its place.
  workerIdleMemoryLimit: '500MB',
  setupFilesAfterEnv: ['<rootDir>/test/support/sharedMemory.ts'],
};
