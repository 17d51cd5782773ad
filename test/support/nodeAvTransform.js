/** Jest loads CommonJS only; node-av is an ES module that also declares its own __dirname, which a CommonJS module may not. */
const { transformSync } = require('@swc/core');

module.exports = {
  process(source, filename) {
    const { code, map } = transformSync(source.replace(/\b__dirname\b/g, 'moduleFolder'), {
      filename,
      swcrc: false,
      jsc: { target: 'es2022' },
      module: { type: 'commonjs' },
      sourceMaps: true,
    });
    return { code, map };
  },
};
