/** The onnxruntime sessions of one model: opened, checked against the graph contract, and run once for nobody. All of it blocks the thread. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { graphsOf, type Graphs } from './graphs';
import type { ExecutionProvider, PrepareRequest, ThreadStart } from './protocol';

export type Outputs = InferenceSession.ReturnType;

const GRAPH_INPUTS = { image: 'uint8', previous_features: 'float32' } as const;

export class Sessions {
  readonly noFeatures: Tensor;
  readonly featureShape: readonly number[];
  readonly #start: ThreadStart;
  readonly #onWarning: (text: string) => void;
  #graphs: Graphs | undefined;
  #depth: InferenceSession | undefined;
  /** Undefined where the graph runs as a whole. */
  #motion: InferenceSession | undefined;
  #provider: ExecutionProvider = 'cpu';
  #firstRun: Outputs | undefined;

  constructor(start: ThreadStart, onWarning: (text: string) => void) {
    const { featureHeight, featureWidth, featureChannels } = start.description;
    this.#start = start;
    this.#onWarning = onWarning;
    this.featureShape = [1, featureHeight, featureWidth, featureChannels];
    const none = new Float32Array(featureHeight * featureWidth * featureChannels);
    this.noFeatures = new Tensor('float32', none, this.featureShape);
  }

  get provider(): ExecutionProvider {
    return this.#provider;
  }

  get featuresDigest(): string {
    return this.#graphs?.featuresDigest ?? '';
  }

  /** Whether ego-motion is a graph of its own, `runMotion`; else it is among the depth's outputs. */
  get motionApart(): boolean {
    return this.#motion !== undefined;
  }

  async prepare({ step, image }: PrepareRequest): Promise<void> {
    if (step === 'depth session') {
      const { model } = this.#start;
      this.#graphs = model instanceof Uint8Array ? graphsOf(model) : model;
      await this.#openDepth(this.#graphs.depth);
    } else if (step === 'motion session') {
      // A thousand operations on little data: one thread of the CPU is the fastest place for them, whatever runs the depth.
      this.#motion = this.#graphs?.motion && (await this.#create(this.#graphs.motion, 'cpu', 1));
      this.#checkContract();
    } else if (step === 'depth run') {
      const { height, width } = this.#start.description;
      this.#firstRun = await this.runDepth(image ?? new Uint8Array(height * width * 3), this.noFeatures);
      if (image) requireFinite(this.#firstRun);
    } else {
      const { depth, features } = this.#firstRun!;
      if (this.#motion) await this.#motion.run({ depth, features, previous_features: this.noFeatures });
      this.#firstRun = undefined;
    }
  }

  runDepth(image: Uint8Array, previousFeatures: Tensor): Promise<Outputs> {
    const { height, width } = this.#start.description;
    return this.#depth!.run({
      image: new Tensor('uint8', image, [1, height, width, 3]),
      previous_features: previousFeatures,
    });
  }

  runMotion(depth: Float32Array, features: Tensor, previousFeatures: Tensor): Promise<Outputs> {
    const { height, width } = this.#start.description;
    return this.#motion!.run({
      depth: new Tensor('float32', depth, [1, height, width]),
      features,
      previous_features: previousFeatures,
    });
  }

  /** Else their memory outlives the thread. */
  async release(): Promise<void> {
    await Promise.all([this.#depth?.release(), this.#motion?.release()]);
  }

  async #openDepth(graph: Uint8Array): Promise<void> {
    const { executionProvider, threads } = this.#start;
    if (executionProvider !== 'cpu') {
      try {
        this.#depth = await this.#create(graph, executionProvider, threads);
        this.#provider = executionProvider;
        return;
      } catch (error) {
        const reason = (error as Error).message
          .split(/\n| was false\. /)
          .at(-1)
          ?.trim();
        this.#onWarning(`execution_provider ${executionProvider} is not to be had here, using cpu (${reason})`);
      }
    }
    this.#depth = await this.#create(graph, 'cpu', threads);
  }

  #create(graph: Uint8Array, provider: ExecutionProvider, threads: number): Promise<InferenceSession> {
    return InferenceSession.create(graph, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: this.#graphs?.optimised ? 'disabled' : 'all',
      logSeverityLevel: 4, // what goes wrong is thrown; the library's own lines on stderr would only repeat it
      // Spinning within a run makes it a quarter shorter; after it, the cores belong to DDS and the shrink of the next frame.
      extra: {
        session: { intra_op: { allow_spinning: '1' }, inter_op: { allow_spinning: '0' }, force_spinning_stop: '1' },
      },
    });
  }

  #checkContract(): void {
    const { height, width } = this.#start.description;
    const outputs = {
      depth: [1, height, width],
      log_disparity_gradient: [1, height, width, 2],
      confidence: [1, height, width],
      ego_motion: [1, 6],
      features: this.featureShape,
    };
    const depth = this.#depth!;
    for (const [name, type] of Object.entries(GRAPH_INPUTS)) {
      const input = depth.inputMetadata.find((metadata) => metadata.name === name);
      if (!input) throw new Error(`the graph has no input "${name}"`);
      if (!input.isTensor || input.type !== type) throw new Error(`the graph's input "${name}" is not ${type}`);
    }
    for (const [name, shape] of Object.entries(outputs)) {
      const output = [...depth.outputMetadata, ...(this.#motion?.outputMetadata ?? [])].find(
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
}

/** A map transferred to another thread owns its whole buffer: onnxruntime gives each output one of its own. */
export function floats(outputs: Outputs, name: string): Float32Array<ArrayBuffer> {
  return outputs[name].data as Float32Array<ArrayBuffer>;
}

/** Throws Error naming the first value of depth and features that is not finite. */
export function requireFinite(outputs: Outputs): void {
  for (const name of ['depth', 'features']) {
    const bad = floats(outputs, name).findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new Error(`${name}[${bad}] is ${floats(outputs, name)[bad]} on a frame of the camera`);
  }
}
