/** npm run test:slow: what trains or measures for minutes. Never part of npm test. */
module.exports = {
  ...require('./jest.config.js'),
  testMatch: ['<rootDir>/test/slow/**/*.slow.ts'],
  testTimeout: 1_800_000,
};
