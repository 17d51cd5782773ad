/** Unit tests run from TypeScript through swc; tests in test/ros start real processes from dist/, so build first (npm test does). */
module.exports = {
  testEnvironment: '<rootDir>/test/support/nodeEnvironment.js',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, sourceMaps: 'inline' }],
    '/node-av/.+\\.js$': '<rootDir>/test/support/nodeAvTransform.js',
  },
  transformIgnorePatterns: ['/node_modules/(?!node-av/)'],
  testTimeout: 120000,
  maxWorkers: 1,
};
