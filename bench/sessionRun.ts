import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { ModelDescription } from '../src/inference/modelFile';

const WARM_UP_RUNS = 10;

export interface SessionRunOptions {
  readonly modelBytes: Uint8Array;
  readonly description: ModelDescription;
  readonly threads: number;
  /** Size of the image that goes in. */
  readonly width: number;
  readonly height: number;
  readonly seconds: number;
}

/** Milliseconds of each bare session.run, one after the other, features fed back as the node does; onnxruntime's own defaults but for the threads. */
export async function measureSessionRun(options: SessionRunOptions): Promise<number[]> {
  const { modelBytes, description, threads, width, height, seconds } = options;
  const session = await InferenceSession.create(modelBytes, { intraOpNumThreads: threads, interOpNumThreads: 1 });
  try {
    const bytes = Uint8Array.from({ length: width * height * 3 }, (_, i) => 40 + ((i * 7919) % 180));
    const image = new Tensor('uint8', bytes, [1, height, width, 3]);
    const { featureHeight, featureWidth, featureChannels } = description;
    const shape = [1, featureHeight, featureWidth, featureChannels];
    let features = new Tensor('float32', new Float32Array(featureHeight * featureWidth * featureChannels), shape);
    const milliseconds: number[] = [];
    let endMs = Infinity;
    for (let run = -WARM_UP_RUNS; run <= 0 || performance.now() < endMs; run++) {
      if (run === 0) endMs = performance.now() + seconds * 1000;
      const started = performance.now();
      const outputs = await session.run({ image, previous_features: features });
      if (run >= 0) milliseconds.push(performance.now() - started);
      features = outputs['features'] as Tensor as typeof features;
    }
    return milliseconds;
  } finally {
    await session.release();
  }
}
