/**
 * The worker thread behind InferenceWorker: owns the onnxruntime sessions (whose `run` blocks its thread) and the rolling
 * feature window, that is, the encoder's features of the frame before. Depth is reported before the ego-motion is computed.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { parentPort, workerData } from 'node:worker_threads';
import { graphsOf } from './graphs';
import {
  CLOSE,
  type EgoMotion,
  type ExecutionProvider,
  type InferRequest,
  type PrimeRequest,
  type ThreadReport,
  type ThreadRequest,
  type ThreadStart,
  type WarmUpRequest,
} from './protocol';

const { modelPath, model, description, executionProvider, threads, stop } = workerData as ThreadStart;
const graphs = model instanceof Uint8Array ? graphsOf(model) : model;
const { height, width, featureHeight, featureWidth, featureChannels, intrinsicsChannel } = description;
const featureShape = [1, featureHeight, featureWidth, featureChannels];
const CONTRACT = {
  inputs: { image: 'uint8', previous_features: 'float32' },
  outputs: {
    depth: [1, height, width],
    log_disparity_gradient: [1, height, width, 2],
    confidence: [1, height, width],
    ego_motion: [1, 6],
    features: featureShape,
  },
} as const;

function report(message: ThreadReport, transfer: ArrayBuffer[] = []): void {
  parentPort!.postMessage(message, transfer);
}

function createSession(bytes: Uint8Array, provider: ExecutionProvider, threadCount: number): Promise<InferenceSession> {
  return InferenceSession.create(bytes, {
    executionProviders: [provider],
    intraOpNumThreads: threadCount,
    interOpNumThreads: 1,
    graphOptimizationLevel: graphs.optimised ? 'disabled' : 'all',
    logSeverityLevel: 4, // what goes wrong is thrown; the library's own lines on stderr would only repeat it
    // Spinning within a run makes it a quarter shorter; after it, the cores belong to DDS and the shrink of the next frame.
    extra: {
      session: { intra_op: { allow_spinning: '1' }, inter_op: { allow_spinning: '0' }, force_spinning_stop: '1' },
    },
  });
}

async function openSession(bytes: Uint8Array): Promise<{ session: InferenceSession; provider: ExecutionProvider }> {
  if (executionProvider !== 'cpu') {
    try {
      return { session: await createSession(bytes, executionProvider, threads), provider: executionProvider };
    } catch (error) {
      const reason = (error as Error).message
        .split(/\n| was false\. /)
        .at(-1)
        ?.trim();
      report({
        kind: 'warning',
        text: `execution_provider ${executionProvider} is not to be had here, using cpu (${reason})`,
      });
    }
  }
  return { session: await createSession(bytes, 'cpu', threads), provider: 'cpu' };
}

interface Sessions {
  depth: InferenceSession;
  /** Undefined where the graph runs as a whole. */
  motion: InferenceSession | undefined;
  provider: ExecutionProvider;
}

async function openSessions(): Promise<Sessions> {
  const { session: depth, provider } = await openSession(graphs.depth);
  // A thousand operations on little data: one thread of the CPU is the fastest place for them, whatever runs the depth.
  const motion = graphs.motion && (await createSession(graphs.motion, 'cpu', 1));
  return { depth, motion, provider };
}

function checkContract({ depth, motion }: Sessions): void {
  for (const [name, type] of Object.entries(CONTRACT.inputs)) {
    const input = depth.inputMetadata.find((metadata) => metadata.name === name);
    if (!input) throw new Error(`the graph has no input "${name}"`);
    if (!input.isTensor || input.type !== type) throw new Error(`the graph's input "${name}" is not ${type}`);
  }
  for (const [name, shape] of Object.entries(CONTRACT.outputs)) {
    const output = [...depth.outputMetadata, ...(motion?.outputMetadata ?? [])].find(
      (metadata) => metadata.name === name,
    );
    if (!output) throw new Error(`the graph has no output "${name}"`);
    if (!output.isTensor || output.type !== 'float32') throw new Error(`the graph's output "${name}" is not float32`);
    const agrees =
      output.shape.length === shape.length && output.shape.every((n, i) => typeof n === 'string' || n === shape[i]);
    if (!agrees)
      throw new Error(`the graph's output "${name}" has shape [${output.shape}], its metadata says [${shape}]`);
  }
}

/** The graph takes the camera's intrinsics from the first cell's last channels; zeros there mean its training camera. */
function writeIntrinsics(features: Tensor, intrinsics: InferRequest['intrinsics']): void {
  if (intrinsicsChannel === undefined) return;
  (features.data as Float32Array).set(intrinsics ?? [0, 0, 0, 0], intrinsicsChannel);
}

/** A map transferred to the main thread owns its whole buffer: onnxruntime gives each output one of its own. */
function floats(outputs: InferenceSession.ReturnType, name: string): Float32Array<ArrayBuffer> {
  return outputs[name].data as Float32Array<ArrayBuffer>;
}

async function main(): Promise<void> {
  const stopped = new Int32Array(stop);
  const sessions = await openSessions();
  if (Atomics.load(stopped, 0) === 1) return; // nothing keeps the thread alive: it ends
  checkContract(sessions);
  const noFeatures = new Tensor(
    'float32',
    new Float32Array(featureHeight * featureWidth * featureChannels),
    featureShape,
  );
  let previousFeatures: Tensor | undefined;

  async function infer({ image, forgetPrevious, wantsMotion, intrinsics }: InferRequest): Promise<void> {
    if (forgetPrevious) previousFeatures = undefined;
    const hasPrevious = previousFeatures !== undefined;
    const before = previousFeatures ?? noFeatures;
    writeIntrinsics(before, intrinsics);
    const started = performance.now();
    const outputs = await sessions.depth.run({
      image: new Tensor('uint8', image, [1, height, width, 3]),
      previous_features: before,
    });
    const runMilliseconds = performance.now() - started;
    previousFeatures = outputs['features'] as Tensor;
    const wanted = wantsMotion && hasPrevious;
    const depth = floats(outputs, 'depth');
    // Its buffer goes to the main thread now, and the ego-motion still needs the values.
    const depthKept = wanted && sessions.motion ? depth.slice() : undefined;
    const gradient = floats(outputs, 'log_disparity_gradient');
    const confidence = floats(outputs, 'confidence');
    report({ kind: 'depth', image, maps: { depth, gradient, confidence, hasPrevious, runMilliseconds } }, [
      image.buffer as ArrayBuffer,
      depth.buffer,
      gradient.buffer,
      confidence.buffer,
    ]);
    if (!wanted) reportMotion(undefined);
    else if (!sessions.motion) reportMotion({ vector: floats(outputs, 'ego_motion'), runMilliseconds: 0 });
    else await inferMotion(sessions.motion, depthKept!, previousFeatures, before);
  }

  async function inferMotion(
    session: InferenceSession,
    depth: Float32Array,
    now: Tensor,
    before: Tensor,
  ): Promise<void> {
    try {
      const started = performance.now();
      const outputs = await session.run({
        depth: new Tensor('float32', depth, [1, height, width]),
        features: now,
        previous_features: before,
      });
      reportMotion({ vector: floats(outputs, 'ego_motion'), runMilliseconds: performance.now() - started });
    } catch (error) {
      report({ kind: 'motion failed', text: `model file ${modelPath}: ${(error as Error).message}` });
    }
  }

  async function runOn(image: Uint8Array): Promise<InferenceSession.ReturnType> {
    return sessions.depth.run({
      image: new Tensor('uint8', image, [1, height, width, 3]),
      previous_features: noFeatures,
    });
  }

  function requireFinite(outputs: InferenceSession.ReturnType): void {
    for (const name of ['depth', 'features']) {
      const bad = floats(outputs, name).findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) throw new Error(`${name}[${bad}] is ${floats(outputs, name)[bad]} on a frame of the camera`);
    }
  }

  async function prime({ features, image }: PrimeRequest): Promise<void> {
    previousFeatures = features && new Tensor('float32', features, featureShape);
    if (!image) return;
    const outputs = await runOn(image);
    requireFinite(outputs);
    previousFeatures = outputs['features'] as Tensor;
  }

  async function warmUp({ image }: WarmUpRequest): Promise<void> {
    const outputs = await runOn(image ?? new Uint8Array(height * width * 3));
    const { depth, features } = outputs;
    await sessions.motion?.run({ depth, features, previous_features: noFeatures });
    if (image) requireFinite(outputs);
  }

  async function answer(request: ThreadRequest): Promise<void> {
    if (request.kind === 'features') {
      const features = (previousFeatures?.data as Float32Array<ArrayBuffer> | undefined)?.slice();
      report({ kind: 'features', features }, features ? [features.buffer] : []);
    } else if (request.kind === 'prime' || request.kind === 'warm up') {
      await (request.kind === 'prime' ? prime(request) : warmUp(request)).then(
        () => report({ kind: 'primed' }),
        (error: Error) => report({ kind: 'prime failed', text: `model file ${modelPath}: ${error.message}` }),
      );
    } else {
      await infer(request).catch((error: Error) => {
        previousFeatures = undefined;
        report({ kind: 'depth failed', image: request.image, text: `model file ${modelPath}: ${error.message}` }, [
          request.image.buffer as ArrayBuffer,
        ]);
      });
    }
  }

  let lastRun = Promise.resolve(); // a frame may come while the one before is at its ego-motion: it waits here
  parentPort!.on('message', (request: ThreadRequest | typeof CLOSE) => {
    if (request === CLOSE) {
      parentPort!.close();
      lastRun = lastRun.then(async () => {
        await Promise.all([sessions.depth.release(), sessions.motion?.release()]); // else their memory outlives the thread
      });
    } else lastRun = lastRun.then(() => answer(request));
  });
  report({ kind: 'ready', executionProvider: sessions.provider, featuresDigest: graphs.featuresDigest });
}

function reportMotion(motion: EgoMotion | undefined): void {
  report({ kind: 'motion', motion }, motion ? [motion.vector.buffer as ArrayBuffer] : []);
}

main().catch((error: Error) => report({ kind: 'failed', text: `model file ${modelPath}: ${error.message}` }));
