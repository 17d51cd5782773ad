/**
 * Preloaded into the recorder (NODE_OPTIONS): files take no more than so many bytes a second (DEPTHGRAD_TEST_DISK_BYTES_PER_SECOND), as a memory card
 * would. A real slow device needs a kernel module and root.
 */
'use strict';
const { open } = require('node:fs/promises');
const { setTimeout: sleep } = require('node:timers/promises');

const rate = Number(process.env.DEPTHGRAD_TEST_DISK_BYTES_PER_SECOND);

void open(__filename).then(async (handle) => {
  const prototype = Object.getPrototypeOf(handle);
  const { write } = prototype;
  prototype.write = async function (bytes, offset, length, position) {
    await sleep((length / rate) * 1000);
    return write.call(this, bytes, offset, length, position);
  };
  await handle.close();
});
