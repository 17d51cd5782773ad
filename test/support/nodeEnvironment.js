/** Jest's Node environment with the typed arrays of Node itself: native addons check what they are given by constructor. */
const { TestEnvironment } = require('jest-environment-node');

module.exports = class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    Object.assign(this.global, { Float32Array, Float64Array, Int32Array, BigInt64Array, Uint16Array, Int8Array });
  }
};
