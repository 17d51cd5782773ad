/**
 * Preloaded into depth_node (NODE_OPTIONS): the inference thread dies of an error that nobody catches, on an overexposed picture, as a fault in onnxruntime's
 * binding or an exhausted heap would end it. No model file can do that: what a run throws is caught, and the next frame is taken.
 */
'use strict';
const threads = require('node:worker_threads');

const BRIGHT = 250;

if (!threads.isMainThread) {
  const { InferenceSession } = require('onnxruntime-node');
  const create = InferenceSession.create.bind(InferenceSession);
  InferenceSession.create = async (...args) => {
    const session = await create(...args);
    const run = session.run.bind(session);
    session.run = (feeds, ...rest) => {
      if (!feeds.image?.data.every((level) => level >= BRIGHT)) return run(feeds, ...rest);
      setImmediate(() => {
        throw new Error('the accelerator is gone');
      });
      return new Promise(() => undefined); // a run that never comes back
    };
    return session;
  };
}
