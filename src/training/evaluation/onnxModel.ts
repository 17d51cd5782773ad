/** An exported model as the evaluation runs it: frame by frame in this thread, by the graph contract of docs/architecture.md. */
import { stat } from 'node:fs/promises';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { PinholeParameters } from '../../geometry/alignment';

const INPUTS = ['image', 'previous_features'];
const OUTPUTS = ['depth', 'log_disparity_gradient', 'confidence', 'ego_motion', 'features'];

export interface ModelOutputs {
  /** Size of the maps. */
  readonly height: number;
  readonly width: number;
  /** [height, width], along Z, in the model's own scale. */
  readonly depth: Float32Array;
  /** [height, width, 2]: forward differences (du, dv) of log-disparity. */
  readonly gradient: Float32Array;
  readonly confidence: Float32Array;
  /** Pose of this camera in the previous one's frame: translation, axis-angle. Without meaning for a first frame. */
  readonly egoMotion: Float32Array;
  /** To be given with the next frame. */
  readonly features: Float32Array;
}

export class OnnxModel {
  readonly #session: InferenceSession;
  readonly #featureShape: readonly number[];

  private constructor(
    readonly path: string,
    session: InferenceSession,
    featureShape: readonly number[],
  ) {
    this.#session = session;
    this.#featureShape = featureShape;
  }

  /** @throws Error naming the file: missing, truncated, or not one that `depthgrad export` wrote */
  static async open(path: string, threads = 2): Promise<OnnxModel> {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) throw new Error(`${path}: no such model file; npx depthgrad export makes one`);
    if (found.size === 0) throw new Error(`${path}: the model file is empty (0 bytes)`);
    const session = await InferenceSession.create(path, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionProviders: ['cpu'],
      logSeverityLevel: 3,
    }).catch((error: Error) => {
      throw new Error(`${path}: not an ONNX model, or cut off (${error.message.split('\n')[0]})`);
    });
    const missing = [
      ...INPUTS.filter((name) => !session.inputNames.includes(name)).map((name) => `input ${name}`),
      ...OUTPUTS.filter((name) => !session.outputNames.includes(name)).map((name) => `output ${name}`),
    ];
    if (missing.length > 0) throw new Error(`${path}: not a depthgrad model: ${missing.join(', ')} missing`);
    const features = session.inputMetadata.find((input) => input.name === 'previous_features');
    const shape = features?.isTensor ? features.shape : [];
    const fixed = shape.filter((size): size is number => typeof size === 'number' && size > 0);
    if (fixed.length !== 4)
      throw new Error(`${path}: previous_features has the shape [${shape.join(', ')}]; four sizes are needed`);
    return new OnnxModel(path, session, fixed);
  }

  /** Features that stand for "no frame before". */
  emptyFeatures(): Float32Array {
    return new Float32Array(this.#featureShape.reduce((product, size) => product * size, 1));
  }

  /** Height and width of the network, eight times those of its features. */
  get size(): { height: number; width: number } {
    return { height: 8 * this.#featureShape[1], width: 8 * this.#featureShape[2] };
  }

  /**
   * @param image rgb8 [height, width, 3] of any size
   * @param previousFeatures is written to where intrinsics are given: the model takes them there
   * @param intrinsics of the camera for an image of the network's size; without them the model uses its training camera's
   */
  async run(
    image: Uint8Array,
    height: number,
    width: number,
    previousFeatures: Float32Array,
    intrinsics?: PinholeParameters,
  ): Promise<ModelOutputs> {
    const intrinsicsChannel = this.#featureShape[3] - 4;
    // A graph with fewer channels (the tests' tiny model) does not ask for them.
    if (intrinsics && intrinsicsChannel > 0) {
      const { fx, fy, cx, cy } = intrinsics;
      previousFeatures.set([fx, fy, cx, cy], intrinsicsChannel);
    }
    const outputs = await this.#session.run({
      image: new Tensor('uint8', image, [1, height, width, 3]),
      previous_features: new Tensor('float32', previousFeatures, this.#featureShape),
    });
    const values = (name: string): Float32Array => {
      const { data } = outputs[name];
      if (!(data instanceof Float32Array))
        throw new Error(`${this.path}: output ${name} is ${outputs[name].type}, not float32`);
      return data;
    };
    const [, mapHeight, mapWidth] = outputs.depth.dims;
    return {
      height: mapHeight,
      width: mapWidth,
      depth: values('depth'),
      gradient: values('log_disparity_gradient'),
      confidence: values('confidence'),
      egoMotion: values('ego_motion'),
      features: values('features'),
    };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}
