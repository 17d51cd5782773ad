/**
 * The worker thread behind InferenceWorker: owns the onnxruntime session (whose `run` blocks its thread) and the rolling
 * feature window, that is, the encoder's features of the frame before.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { parentPort, workerData } from 'node:worker_threads';
import { CLOSE, type ExecutionProvider, type InferRequest, type ThreadReport, type ThreadStart } from './protocol';

const { modelPath, modelBytes, description, executionProvider, threads, stop } = workerData as ThreadStart;
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

function createSession(provider: ExecutionProvider): Promise<InferenceSession> {
  return InferenceSession.create(modelBytes, {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 4, // what goes wrong is thrown; the library's own lines on stderr would only repeat it
    // Spinning threads win a fraction of a millisecond and take the cores from DDS and the shrink of the next frame.
    extra: { session: { intra_op: { allow_spinning: '1' }, inter_op: { allow_spinning: '0' } } },
  });
}

async function openSession(): Promise<{ session: InferenceSession; provider: ExecutionProvider }> {
  if (executionProvider !== 'cpu') {
    try {
      return { session: await createSession(executionProvider), provider: executionProvider };
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
  return { session: await createSession('cpu'), provider: 'cpu' };
}

function checkContract(session: InferenceSession): void {
  for (const [name, type] of Object.entries(CONTRACT.inputs)) {
    const input = session.inputMetadata.find((metadata) => metadata.name === name);
    if (!input) throw new Error(`the graph has no input "${name}"`);
    if (!input.isTensor || input.type !== type) throw new Error(`the graph's input "${name}" is not ${type}`);
  }
  for (const [name, shape] of Object.entries(CONTRACT.outputs)) {
    const output = session.outputMetadata.find((metadata) => metadata.name === name);
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
  const { session, provider } = await openSession();
  if (Atomics.load(stopped, 0) === 1) return; // nothing keeps the thread alive: it ends
  checkContract(session);
  const noFeatures = new Tensor(
    'float32',
    new Float32Array(featureHeight * featureWidth * featureChannels),
    featureShape,
  );
  let previousFeatures: Tensor | undefined;

  async function infer({ image, forgetPrevious, intrinsics }: InferRequest): Promise<void> {
    if (forgetPrevious) previousFeatures = undefined;
    const hasPrevious = previousFeatures !== undefined;
    const features = previousFeatures ?? noFeatures;
    writeIntrinsics(features, intrinsics);
    const started = performance.now();
    const outputs = await session.run({
      image: new Tensor('uint8', image, [1, height, width, 3]),
      previous_features: features,
    });
    const runMilliseconds = performance.now() - started;
    previousFeatures = outputs['features'] as Tensor;
    const depth = floats(outputs, 'depth');
    const gradient = floats(outputs, 'log_disparity_gradient');
    const confidence = floats(outputs, 'confidence');
    const egoMotion = floats(outputs, 'ego_motion');
    const inference = { depth, gradient, confidence, egoMotion, hasPrevious, runMilliseconds };
    report({ kind: 'answer', image, inference }, [
      image.buffer as ArrayBuffer,
      depth.buffer,
      gradient.buffer,
      confidence.buffer,
      egoMotion.buffer,
    ]);
  }

  // The first run allocates and is several times slower; done here, no camera frame waits for it.
  await session.run({
    image: new Tensor('uint8', new Uint8Array(height * width * 3), [1, height, width, 3]),
    previous_features: noFeatures,
  });
  if (Atomics.load(stopped, 0) === 1) return;
  parentPort!.on('message', (request: InferRequest | typeof CLOSE) => {
    if (request === CLOSE) {
      parentPort!.close();
      return;
    }
    infer(request).catch((error: Error) => {
      previousFeatures = undefined;
      report({ kind: 'error', image: request.image, text: `model file ${modelPath}: ${error.message}` }, [
        request.image.buffer as ArrayBuffer,
      ]);
    });
  });
  report({ kind: 'ready', executionProvider: provider });
}

main().catch((error: Error) => report({ kind: 'failed', text: `model file ${modelPath}: ${error.message}` }));
