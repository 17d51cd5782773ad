/** depth_node: camera images in; depth, gradient, confidence and ego-motion out. README has its topics, docs/operations.md its lifecycle. */
import { end, isEnding, onEnd } from './ros/endOnSignal';
import { Subject, type Subscription as Running } from 'rxjs';
import { ModelHost } from '../inference/modelHost';
import { keepHeapFlat } from '../heap';
import { createNavigator } from './createNavigator';
import { DepthDiagnostics, type DepthPicture } from './depthDiagnostics';
import { declareDepthParameters, depthParameters, type DepthParameters } from './depthParameters';
import { depthPipeline, type DepthPublishers } from './depthPipeline';
import { DepthStatistics } from './depthStatistics';
import { ImageGate } from './imageGate';
import { ModelUpdateReceiver } from './modelUpdateReceiver';
import type { Navigator } from './navigation';
import { subscribeCameraInfo, type CameraInfoSource } from './ros/cameraInfoSubscription';
import { CdrWriter } from './ros/cdr';
import { imageStream } from './ros/imageStream';
import { LifecycleNode } from './ros/lifecycleNode';
import { writeDiagnosticArray } from './ros/messages';
import { booleanParameter } from './ros/parameters';
import { overriddenQos } from './ros/qosOverrides';
import { qos, rclnodejs, type Publisher, type Qos, type RosNode, type Subscription } from './ros/rclnodejs';
import { oneLine, ThrottledLog } from './ros/throttledLog';
import type { OwnEnd } from './ros/topicFaults';
import { readPublicKey } from './signingKeys';

const DIAGNOSTICS_PERIOD_MS = 1000;
const IMAGE_TYPE = 'sensor_msgs/msg/Image';

/** What there is from configure to cleanup. */
interface Configured {
  readonly parameters: DepthParameters;
  readonly network: ModelHost;
  readonly navigator: Navigator;
  readonly updates: ModelUpdateReceiver;
  readonly publishers: DepthPublishers;
  readonly publications: readonly OwnEnd[];
  readonly cameraInfo: CameraInfoSource;
  readonly images: { readonly topic: string; readonly type: string; readonly qos: Qos };
}

/** What there is while the node is active. */
interface Active {
  readonly images$: Subject<Buffer>;
  readonly imageSubscription: Subscription;
  pipeline: Running;
  readonly destroyTopics: () => void;
}

/** What the start of the process has come through, and after how many ms. */
const started = new Map<string, number>();

/** For the first activation. npm run bench:start reads it. */
function startTimes(): string {
  if (started.has('active')) return '';
  started.set('active', performance.now());
  const times = [...started].map(([step, ms]) => `${step} ${(ms / 1000).toFixed(2)}`);
  return `; seconds after the start: ${times.join(', ')}`;
}

class DepthNode extends LifecycleNode {
  /** Why the last transition failed; empty where it did not. */
  fault = '';
  /** An error ends the process then, and its last words name it. */
  autostarting = false;
  readonly #log = new ThrottledLog(this.getLogger());
  readonly #imageTopic = this.resolveTopicName('image');
  /** Before all that goes with a transition. */
  readonly #diagnosticsTopic = this.createPublisher('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics');
  readonly #diagnostics = new DepthDiagnostics(this, this.#imageTopic, this.#log);
  #statistics = new DepthStatistics(performance.now());
  #destroyTopics: (() => void) | undefined;
  #loading: { readonly network: Promise<ModelHost>; readonly giveUp: AbortController } | undefined;
  #configured: Configured | undefined;
  #active: Active | undefined;

  constructor(name: string) {
    super(name);
    declareDepthParameters(this, () => this.state === 'unconfigured');
  }

  get autostart(): boolean {
    return booleanParameter(this, 'autostart');
  }

  protected override async onConfigure(): Promise<void> {
    this.fault = '';
    const parameters = depthParameters(this);
    this.#destroyTopics = this.remember();
    const updates = new ModelUpdateReceiver(this, this.#log);
    const network = await this.#load(parameters, updates);
    if (isEnding()) return;
    const { name, version, sha256, width, height } = network.model;
    this.getLogger().info(
      `model ${name} ${version} (${width}x${height}, ${network.executionProvider}, sha256 ${sha256.slice(0, 12)}) from ${parameters.modelPath}`,
    );
    this.#statistics = new DepthStatistics(performance.now());
    started.set('model', performance.now());
    const images = imageStream(this.#imageTopic, parameters.imageTransport);
    const imageQos = qos(parameters.imageReliability, parameters.imageQueueDepth);
    const { publishers, publications } = createPublishers(this, parameters);
    const navigator = createNavigator(this, parameters, publishers, this.#log);
    navigator.scaleOf(sha256); // fixed_scale is of this model, also where an update comes before the first image
    this.#configured = {
      parameters,
      network,
      navigator,
      updates,
      publishers,
      publications,
      cameraInfo: subscribeCameraInfo(this, parameters.imageReliability, this.#imageTopic, this.#log),
      images: { ...images, qos: overriddenQos(this, 'subscription', images.topic, imageQos) },
    };
    if (parameters.acceptModelUpdates) updates.receive(network);
    this.createService('std_srvs/srv/Trigger', '~/reset', () => Promise.resolve(this.#reset()));
  }

  protected override onActivate(): void {
    const { parameters, publishers, images } = this.#configured!;
    const images$ = new Subject<Buffer>();
    const destroyTopics = this.remember();
    const [log, statistics] = [this.#log, () => this.#statistics];
    const gate = new ImageGate({ imageTopic: images.topic, limits: parameters, statistics, log });
    const imageSubscription = this.createSubscription(
      images.type,
      images.topic,
      { qos: images.qos, isRaw: true },
      (message) => {
        if (gate.admits(message)) images$.next(message);
      },
    );
    this.#statistics.lastImageMs = performance.now();
    this.#active = { images$, imageSubscription, pipeline: this.#runPipeline(images$), destroyTopics };
    this.getLogger().info(`ready: depth of ${images.topic} on ${publishers.depth.topic}${startTimes()}`);
  }

  protected override onDeactivate(): void {
    this.#stopImages();
  }

  protected override onCleanup(): Promise<void> {
    return this.release();
  }

  protected override onShutdown(): Promise<void> {
    return this.release();
  }

  protected override async onError(error: Error): Promise<void> {
    this.fault = oneLine(error.message);
    if (!this.autostarting) this.getLogger().error(this.fault);
    await this.release();
  }

  /** Frees all there is, in whatever state; a model on its way in is given up. */
  async release(): Promise<void> {
    this.#stopImages();
    this.#configured?.updates.close();
    this.#configured = undefined;
    this.#destroyTopics?.();
    this.#destroyTopics = undefined;
    const loading = this.#loading;
    this.#loading = undefined;
    loading?.giveUp.abort();
    await loading?.network.then(
      (network) => network.close(),
      () => undefined,
    );
  }

  publishDiagnostics(): void {
    const cdr = new CdrWriter();
    let seconds = 0;
    const timer = setInterval(() => {
      const { state, fault } = this;
      const statuses = this.#diagnostics.look(performance.now(), { state, fault }, this.#picture());
      const header = { stamp: this.now().toMsg(), frameId: '' };
      this.#diagnosticsTopic.publish(writeDiagnosticArray(cdr.start(), header, statuses).take());
      if (++seconds % 10 !== 0 || !this.#active) return;
      const { frames_in, dropped, latency_p50_ms, latency_p95_ms } = statuses[0].values;
      const latency = `latency p50 ${latency_p50_ms} p95 ${latency_p95_ms} ms`;
      this.getLogger().info(`${statuses[0].message}; ${latency}; in ${frames_in}, dropped ${dropped}`);
    }, DIAGNOSTICS_PERIOD_MS);
    onEnd(() => clearInterval(timer));
  }

  async #load(parameters: DepthParameters, updates: ModelUpdateReceiver): Promise<ModelHost> {
    const giveUp = new AbortController();
    const publicKey = readPublicKey(parameters.modelUpdatePublicKeyPath);
    const network = ModelHost.start({
      modelPath: parameters.modelPath,
      executionProvider: parameters.executionProvider,
      threads: parameters.threads,
      onWarning: (text) => this.getLogger().warn(text),
      signal: giveUp.signal,
      maxUpdateBytes: parameters.modelUpdateMaxBytes,
      publicKey,
      onGivenUp: (outcome) => updates.report(outcome),
    });
    this.#loading = { network, giveUp };
    return network;
  }

  /** From the next image on nothing is known of those before. */
  #runPipeline(images$: Subject<Buffer>): Running {
    const { network, navigator, parameters, publishers, cameraInfo, images } = this.#configured!;
    return depthPipeline({
      images$,
      imageTopic: images.topic,
      cameraInfo: cameraInfo.latest,
      network,
      navigator,
      parameters,
      publishers,
      statistics: this.#statistics,
      log: this.#log,
    }).subscribe({ error: (error: Error) => this.#fail(error) });
  }

  #stopImages(): void {
    this.#active?.pipeline.unsubscribe();
    this.#active?.destroyTopics();
    this.#active = undefined;
  }

  /** ~/reset: counts, and whatever the pipeline knows of earlier frames, begin anew. The model stays. */
  #reset(): { success: boolean; message: string } {
    this.#statistics = new DepthStatistics(performance.now());
    this.#configured?.navigator.reset();
    if (this.#active) {
      this.#active.pipeline.unsubscribe();
      this.#active.pipeline = this.#runPipeline(this.#active.images$);
    }
    this.getLogger().info('reset: the next frame is compared with none');
    return { success: true, message: 'statistics, features and odometry begin anew; the model stays' };
  }

  /** The pipeline has ended: nothing comes out any more. */
  #fail(error: Error): void {
    if (isEnding()) return;
    if (this.autostart) fail(error);
    else void this.raise(error);
  }

  #picture(): DepthPicture | undefined {
    if (!this.#configured) return undefined;
    const { network, navigator, updates, publications, cameraInfo, images } = this.#configured;
    return {
      network,
      navigator,
      updates,
      statistics: this.#statistics,
      hasCameraInfo: cameraInfo.latest() !== undefined,
      subscriptions: [{ ...images, what: 'images' }, cameraInfo.end, ...navigator.subscriptions],
      publications,
      imageTopic: images.topic,
      imagePublishers: this.#active?.imageSubscription.publisherCount,
    };
  }
}

/** Every publisher, and its topic as /diagnostics looks at it. */
function createPublishers(
  node: RosNode,
  parameters: DepthParameters,
): { readonly publishers: DepthPublishers; readonly publications: readonly OwnEnd[] } {
  const publications: OwnEnd[] = [];
  const create = (type: string, name: string): Publisher => {
    const wanted = overriddenQos(node, 'publisher', name, qos(parameters.publishReliability, 1));
    const publisher = node.createPublisher(type, name, { qos: wanted });
    publications.push({ topic: publisher.topic, type, qos: wanted, what: name.replace('~/', '') });
    return publisher;
  };
  const publishers = {
    depth: create(IMAGE_TYPE, '~/depth'),
    cameraInfo: create('sensor_msgs/msg/CameraInfo', '~/camera_info'),
    gradient: create('depthgrad/msg/DepthGradient', '~/gradient'),
    confidence: create(IMAGE_TYPE, '~/confidence'),
    points: create('sensor_msgs/msg/PointCloud2', '~/points'),
    egoMotion: create('depthgrad/msg/EgoMotion', '~/ego_motion'),
    odometry: create('nav_msgs/msg/Odometry', '~/odometry'),
  };
  return { publishers, publications };
}

async function main(): Promise<void> {
  started.set('modules', performance.now());
  keepHeapFlat();
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = new DepthNode('depth_node');
  onEnd(() => node.release());
  node.spin();
  started.set('node', performance.now());
  if (node.autostart) {
    node.autostarting = true;
    if (await node.change('configure')) await node.change('activate');
    if (node.fault) throw new Error(node.fault);
    node.autostarting = false;
  } else node.getLogger().info('unconfigured: waits for a lifecycle manager (autostart is false)');
  if (!isEnding()) node.publishDiagnostics();
}

/** Nothing can go on: says why and ends with code 1. */
function fail(error: Error): void {
  if (isEnding()) return;
  process.stderr.write(`depth_node: ${error.message}\n`);
  void end(1);
}

main().catch(fail);
