/** What a run was made with, for its report. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-node-gpu';
import { packageRoot } from '../paths';

/** Version of each part by its name. */
export type Versions = Record<string, string>;

/** tfjs-node's native addon knows the version of the library it was linked to; tfjs does not hand it out. */
interface NativeBackend {
  binding?: { TF_Version?: string };
}

export function versions(): Versions {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  const processors = cpus();
  return {
    depthgrad: version,
    TensorFlow: (tf.backend() as NativeBackend).binding?.TF_Version ?? 'unknown',
    'tfjs-node': tf.version['tfjs-core'],
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: `${processors[0]?.model.trim() ?? 'unknown'}, ${processors.length} cores`,
  };
}
