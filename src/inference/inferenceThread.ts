/**
 * The worker thread behind InferenceWorker: owns the onnxruntime sessions (whose `run` blocks its thread) and the rolling
 * feature window, that is, the encoder's features of the frame before. Depth is reported before the ego-motion is computed.
 */
import { once } from 'node:events';
import { Tensor } from 'onnxruntime-node';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import {
  CLOSE,
  type EgoMotion,
  type FeaturesRequest,
  type InferRequest,
  type PrepareRequest,
  type PrimeRequest,
  type ThreadReport,
  type ThreadRequest,
  type ThreadStart,
} from './protocol';
import { native } from '../native';
import { floats, requireFinite, Sessions } from './sessions';

const start = workerData as ThreadStart;
const { modelPath, description } = start;
const sessions = new Sessions(start, (text) => report({ kind: 'warning', text }));
let previousFeatures: Tensor | undefined;

function report(message: ThreadReport, transfer: ArrayBuffer[] = []): void {
  parentPort!.postMessage(message, transfer);
}

function described(error: unknown): string {
  return `model file ${modelPath}: ${(error as Error).message}`;
}

async function prepare(request: PrepareRequest): Promise<void> {
  try {
    await sessions.prepare(request);
    const { provider: executionProvider, featuresDigest } = sessions;
    report({ kind: 'prepared', executionProvider, featuresDigest });
  } catch (error) {
    report({ kind: 'prepare failed', text: described(error) });
  }
}

async function infer({ image, forgetPrevious, wantsMotion, intrinsics }: InferRequest): Promise<void> {
  if (forgetPrevious) previousFeatures = undefined;
  const hasPrevious = previousFeatures !== undefined;
  const before = previousFeatures ?? sessions.noFeatures;
  writeIntrinsics(before, intrinsics);
  const started = performance.now();
  const outputs = await sessions.runDepth(image, before);
  const runMilliseconds = performance.now() - started;
  previousFeatures = outputs['features'] as Tensor;
  const wanted = wantsMotion && hasPrevious;
  const depth = floats(outputs, 'depth');
  // Its buffer goes to the main thread now, and the ego-motion still needs the values.
  const depthKept = wanted && sessions.motionApart ? depth.slice() : undefined;
  const gradient = floats(outputs, 'log_disparity_gradient');
  const confidence = floats(outputs, 'confidence');
  report({ kind: 'depth', image, maps: { depth, gradient, confidence, hasPrevious, runMilliseconds } }, [
    image.buffer as ArrayBuffer,
    depth.buffer,
    gradient.buffer,
    confidence.buffer,
  ]);
  if (!wanted) reportMotion(undefined);
  else if (!depthKept) reportMotion({ vector: floats(outputs, 'ego_motion'), runMilliseconds: 0 });
  else await inferMotion(depthKept, previousFeatures, before);
}

/** The graph takes the camera's intrinsics from the first cell's last channels; zeros there mean its training camera. */
function writeIntrinsics(features: Tensor, intrinsics: InferRequest['intrinsics']): void {
  if (description.intrinsicsChannel === undefined) return;
  (features.data as Float32Array).set(intrinsics ?? [0, 0, 0, 0], description.intrinsicsChannel);
}

async function inferMotion(depth: Float32Array, now: Tensor, before: Tensor): Promise<void> {
  try {
    const started = performance.now();
    const outputs = await sessions.runMotion(depth, now, before);
    reportMotion({ vector: floats(outputs, 'ego_motion'), runMilliseconds: performance.now() - started });
  } catch (error) {
    report({ kind: 'motion failed', text: described(error) });
  }
}

function reportMotion(motion: EgoMotion | undefined): void {
  report({ kind: 'motion', motion }, motion ? [motion.vector.buffer as ArrayBuffer] : []);
}

async function prime({ port, image }: PrimeRequest): Promise<void> {
  const started = performance.now();
  try {
    previousFeatures = port && (await featuresFrom(port));
    if (image) {
      const outputs = await sessions.runDepth(image, sessions.noFeatures);
      requireFinite(outputs);
      previousFeatures = outputs['features'] as Tensor;
    }
    report({ kind: 'primed', milliseconds: performance.now() - started });
  } catch (error) {
    report({ kind: 'prime failed', text: described(error) });
  }
}

function sendFeatures({ port }: FeaturesRequest): void {
  const features = (previousFeatures?.data as Float32Array<ArrayBuffer> | undefined)?.slice();
  port.postMessage(features, features ? [features.buffer] : []);
  port.close();
}

/** None where the other side ended before it sent them. */
async function featuresFrom(port: MessagePort): Promise<Tensor | undefined> {
  const [features] = (await Promise.race([once(port, 'message'), once(port, 'close')])) as [Float32Array | undefined];
  port.close();
  return features && new Tensor('float32', features, sessions.featureShape);
}

async function answer(request: ThreadRequest): Promise<void> {
  if (request.kind === 'prepare') await prepare(request);
  else if (request.kind === 'features') sendFeatures(request);
  else if (request.kind === 'prime') await prime(request);
  else {
    await infer(request).catch((error: Error) => {
      previousFeatures = undefined;
      report({ kind: 'depth failed', image: request.image, text: described(error) }, [
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
      await sessions.release();
      native.trimHeap(); // what a model leaves between other blocks would never be given back
    });
  } else lastRun = lastRun.then(() => answer(request));
});
