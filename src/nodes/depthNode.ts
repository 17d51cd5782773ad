/** depth_node: camera images in; depth, gradient, confidence and ego-motion out. README has its topics and parameters. */
import { end, isEnding, onEnd } from './ros/endOnSignal';
import { Subject } from 'rxjs';
import { ModelHost } from '../inference/modelHost';
import { declareDepthParameters, type DepthParameters } from './depthParameters';
import { depthPipeline, type DepthPublishers } from './depthPipeline';
import { DepthStatistics } from './depthStatistics';
import { keepHeapFlat } from './heap';
import { ModelUpdateReceiver } from './modelUpdateReceiver';
import { subscribeCameraInfo } from './ros/cameraInfoSubscription';
import { CdrWriter } from './ros/cdr';
import { writeDiagnosticArray } from './ros/messages';
import { createNode, qos, rclnodejs, type RosNode } from './ros/rclnodejs';
import { ThrottledLog } from './ros/throttledLog';
import { readPublicKey } from './signingKeys';

const DIAGNOSTICS_PERIOD_MS = 1000;
const MMAP_THRESHOLD = 128 * 1024;

async function main(): Promise<void> {
  keepHeapFlat(MMAP_THRESHOLD);
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = createNode('depth_node');
  const logger = node.getLogger();
  const log = new ThrottledLog(logger);
  const parameters = declareDepthParameters(node);
  node.spin();

  const stopping = new AbortController();
  const updates = new ModelUpdateReceiver(node);
  const starting = ModelHost.start({
    modelPath: parameters.modelPath,
    executionProvider: parameters.executionProvider,
    threads: parameters.threads,
    onWarning: (text) => logger.warn(text),
    signal: stopping.signal,
    maxUpdateBytes: parameters.modelUpdateMaxBytes,
    publicKey: readPublicKey(parameters.modelUpdatePublicKeyPath),
    onGivenUp: (outcome) => updates.report(outcome),
  });
  onEnd(async () => {
    stopping.abort();
    await starting.then(
      (network) => network.close(),
      () => undefined,
    );
  });
  const network = await starting;
  if (isEnding()) return;
  const { name, version, sha256, width, height } = network.model;
  logger.info(
    `model ${name} ${version} (${width}x${height}, ${network.executionProvider}, sha256 ${sha256.slice(0, 12)}) from ${parameters.modelPath}`,
  );

  const statistics = new DepthStatistics(performance.now());
  const images$ = new Subject<Buffer>();
  const publishers = createPublishers(node, parameters);
  const imageSubscription = node.createSubscription(
    'sensor_msgs/msg/Image',
    'image',
    { qos: qos(parameters.imageReliability, parameters.imageQueueDepth), isRaw: true },
    (message) => images$.next(message),
  );
  const cameraInfo = subscribeCameraInfo(node, parameters.imageReliability, imageSubscription.topic, log);
  const running = depthPipeline({
    images$,
    imageTopic: imageSubscription.topic,
    cameraInfo,
    network,
    parameters,
    publishers,
    statistics,
    log,
  }).subscribe({ error: fail });
  onEnd(() => running.unsubscribe());

  if (parameters.acceptModelUpdates) updates.receive(network);
  publishDiagnostics(node, network, statistics, updates);
  logger.info(`ready: depth of ${imageSubscription.topic} on ${publishers.depth.topic}`);
}

function createPublishers(node: RosNode, parameters: DepthParameters): DepthPublishers {
  const options = { qos: qos(parameters.publishReliability, 1) };
  return {
    depth: node.createPublisher('sensor_msgs/msg/Image', '~/depth', options),
    cameraInfo: node.createPublisher('sensor_msgs/msg/CameraInfo', '~/camera_info', options),
    gradient: node.createPublisher('depthgrad/msg/DepthGradient', '~/gradient', options),
    confidence: node.createPublisher('sensor_msgs/msg/Image', '~/confidence', options),
    egoMotion: node.createPublisher('depthgrad/msg/EgoMotion', '~/ego_motion', options),
  };
}

function publishDiagnostics(
  node: RosNode,
  network: ModelHost,
  statistics: DepthStatistics,
  updates: ModelUpdateReceiver,
): void {
  const publisher = node.createPublisher('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics');
  const cdr = new CdrWriter();
  let seconds = 0;
  const timer = setInterval(() => {
    const model = { ...network.model, provider: network.executionProvider };
    const status = statistics.status(performance.now(), node.name(), model);
    const header = { stamp: node.now().toMsg(), frameId: '' };
    publisher.publish(writeDiagnosticArray(cdr.start(), header, [status, updates.status(network)]).take());
    if (++seconds % 10 === 0) {
      const { frames_in, dropped, latency_p50_ms, latency_p95_ms } = status.values;
      node
        .getLogger()
        .info(
          `${status.message}; latency p50 ${latency_p50_ms} p95 ${latency_p95_ms} ms; in ${frames_in}, dropped ${dropped}`,
        );
    }
  }, DIAGNOSTICS_PERIOD_MS);
  onEnd(() => clearInterval(timer));
}

/** Nothing can go on: says why and ends with code 1. */
function fail(error: Error): void {
  if (isEnding()) return;
  process.stderr.write(`depth_node: ${error.message}\n`);
  void end(1);
}

main().catch(fail);
