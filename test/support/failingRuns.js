/**
 * Preloaded into depth_node (NODE_OPTIONS): onnxruntime's runs fail on an overexposed picture in every model but the factory's, as they would where an
 * accelerator or the memory gives out under that one model. A model that adaptation_node exports cannot be made to fail by its bytes.
 */
'use strict';
const threads = require('node:worker_threads');

const BRIGHT = 250;

if (!threads.isMainThread) {
  const { InferenceSession } = require('onnxruntime-node');
  const create = InferenceSession.create.bind(InferenceSession);
  InferenceSession.create = async (...args) => {
    const session = await create(...args);
    const { sha256 } = threads.workerData.description;
    if (sha256 === process.env.DEPTHGRAD_TEST_FACTORY_SHA256) return session;
    const run = session.run.bind(session);
    session.run = (feeds, ...rest) => {
      if (feeds.image?.data.every((level) => level >= BRIGHT)) throw new Error('no memory for this frame');
      return run(feeds, ...rest);
    };
    return session;
  };
}
