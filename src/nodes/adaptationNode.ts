/** adaptation_node: fine-tunes depth_node's model to what the camera sees. docs/adaptation.md has its topics, services and parameters. */
import { end, isEnding, onEnd } from './ros/endOnSignal';
import { getPriority, setPriority } from 'node:os';
import { map, Subject } from 'rxjs';
import { lockFolder } from '../adaptation/folderLock';
import { readModelFile } from '../inference/modelFile';
import { keepHeapFlat } from '../heap';
import { declareAdaptationParameters, withParameter } from './adaptationParameters';
import { adaptationDiagnostics, writeAdaptationStatus, type AdaptationPicture } from './adaptationStatus';
import type { Control } from './adaptationProtocol';
import { AdaptationWorker } from './adaptationWorker';
import { latestOnly } from './latestOnly';
import { ModelHandOver } from './modelHandOver';
import { ModelSender } from './modelSender';
import { subscribeCameraInfo } from './ros/cameraInfoSubscription';
import { CdrWriter } from './ros/cdr';
import { imageStream } from './ros/imageStream';
import { writeDiagnosticArray } from './ros/messages';
import { ParameterError } from './ros/parameters';
import { overriddenQos } from './ros/qosOverrides';
import { createNode, fullName, latchedQos, qos, rclnodejs, type RosNode } from './ros/rclnodejs';
import { ThrottledLog } from './ros/throttledLog';
import { TopicWatch, type OwnEnd } from './ros/topicFaults';
import { StreamHealth } from './streamHealth';
import { TripletStream } from './tripletStream';
import { subscribeSpeed } from './speedSubscription';
import { readPrivateKey } from './signingKeys';

const STATUS_PERIOD_MS = 1000;

async function main(): Promise<void> {
  keepHeapFlat();
  rclnodejs.removeSignalHandlers();
  await rclnodejs.init();
  onEnd(() => rclnodejs.shutdown());
  const node = createNode('adaptation_node');
  const logger = node.getLogger();
  const log = new ThrottledLog(logger);
  const parameters = declareAdaptationParameters(node);
  const { folder, modelPath, imageReliability } = parameters;
  const factory = await readModelFile(modelPath);
  const privateKey = readPrivateKey(parameters.privateKeyPath);
  let { options } = parameters;
  await lockFolder(folder).catch((error: Error) => {
    throw new ParameterError(`parameter folder: ${error.message}; every adaptation_node needs one of its own`);
  });

  // Both hold for threads that begin later: the learner's, and TensorFlow's in it.
  setPriority(Math.max(getPriority(), parameters.niceness));
  process.env.TF_NUM_INTRAOP_THREADS = `${parameters.threads}`;
  process.env.TF_NUM_INTEROP_THREADS = '1';
  const { savePeriod, enabled, source } = parameters;
  const worker = new AdaptationWorker({ modelPath, folder, source, options, savePeriod, enabled });
  onEnd(() => worker.close());
  worker.on('note', (level, text) => logger[level](text));
  worker.on('failed', (text) => logger.error(`the learner has ended: ${text}`));

  const handOver = new ModelHandOver({
    sender: new ModelSender(node, parameters.depthNode),
    log: logger,
    depthNode: parameters.depthNode,
    factory,
    folder,
    privateKey,
    onGivenUp: (reason) => worker.withdraw(reason),
  });
  worker.on('ready', (published) => handOver.resume(published?.onnx));
  worker.on('publish', (update, reason) => {
    logger.info(update ? reason : `back to the factory model: ${reason}`);
    handOver.send(update?.onnx);
  });

  node.addOnSetParametersCallback((changed) => {
    try {
      const next = changed.reduce((before, parameter) => withParameter(before, parameter) ?? before, options);
      const period = changed.find(({ name }) => name === 'save_period')?.value ?? parameters.savePeriod;
      options = next;
      worker.set(options, Number(period));
      return { successful: true, reason: '' };
    } catch (error) {
      return { successful: false, reason: (error as Error).message };
    }
  });
  const speed = subscribeSpeed(node, { twist: parameters.twistTopic, odometry: parameters.odometryTopic }, log);
  const images$ = new Subject<Buffer>();
  const imageTopic = node.resolveTopicName('image');
  const { topic, type } = imageStream(imageTopic, parameters.imageTransport);
  const imageQos = overriddenQos(node, 'subscription', topic, qos(imageReliability, parameters.imageQueueDepth));
  const subscription = node.createSubscription(type, topic, { qos: imageQos, isRaw: true }, (message) =>
    images$.next(message),
  );
  const cameraInfo = subscribeCameraInfo(node, imageReliability, imageTopic, log);
  const { width, height } = factory.description;
  const stream = new TripletStream({
    width,
    height,
    imageRows: parameters.imageRows,
    imageTopic: subscription.topic,
    log,
    cameraInfo: cameraInfo.latest,
    rectify: parameters.rectify,
    rectified: parameters.rectified,
    speedAt: (stamp) => speed.anywhere(stamp),
    options: () => options,
  });
  const triplets$ =
    parameters.imageTransport === 'compressed'
      ? images$.pipe(
          latestOnly(
            (message) => stream.takeCompressed(message),
            () => undefined,
          ),
        )
      : images$.pipe(map((message) => stream.take(message)));
  triplets$.subscribe({
    next: (triplet) => {
      if (triplet) worker.offer(triplet);
    },
    error: fail, // nothing would be learned any more
  });
  const answer = (name: string, type: string, control: (request: { data: boolean }) => Control): void => {
    node.createService(type, name, (request: { data: boolean }) => {
      const wanted = control(request);
      if (wanted.kind === 'reset' || (wanted.kind === 'enable' && wanted.on)) stream.forgetTurn();
      return worker.control(wanted);
    });
  };
  answer('~/enable', 'std_srvs/srv/SetBool', ({ data }) => ({ kind: 'enable', on: data }));
  answer('~/reset', 'std_srvs/srv/Trigger', () => ({ kind: 'reset' }));
  answer('~/save', 'std_srvs/srv/Trigger', () => ({ kind: 'save' }));
  node.spin();
  const topics = new TopicWatch(node, log);
  const images: OwnEnd = { topic: subscription.topic, type, qos: imageQos, what: 'images' };
  const topicFaults = (): string[] => topics.look([images, cameraInfo.end, ...speed.subscriptions]);
  publishStatus(node, subscription.topic, { worker, stream, handOver, topicFaults });
  logger.info(`learns from ${subscription.topic} for ${parameters.depthNode}; state in ${folder}`);
}

interface Parts {
  readonly worker: AdaptationWorker;
  readonly stream: TripletStream;
  readonly handOver: ModelHandOver;
  /** Looks why topics of this node stay empty. */
  readonly topicFaults: () => readonly string[];
}

function publishStatus(node: RosNode, hardwareId: string, { worker, stream, handOver, ...look }: Parts): void {
  const statuses = node.createPublisher('depthgrad/msg/AdaptationStatus', '~/status', { qos: latchedQos() });
  const diagnostics = node.createPublisher('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics');
  const cdr = new CdrWriter();
  const health = new StreamHealth();
  const publish = (): void => {
    const streamFault = health.look(stream);
    const { status: thread, fault } = worker;
    const topicFaults = look.topicFaults();
    const picture: AdaptationPicture = { thread, fault, stream, streamFault, topicFaults, handOver };
    const stamp = node.now().toMsg();
    statuses.publish(writeAdaptationStatus(cdr.start(), stamp, picture).take());
    const header = { stamp, frameId: '' };
    const parts = adaptationDiagnostics({ name: fullName(node), hardwareId }, picture);
    diagnostics.publish(writeDiagnosticArray(cdr.start(), header, parts).take());
  };
  const timer = setInterval(publish, STATUS_PERIOD_MS);
  onEnd(() => clearInterval(timer));
}

/** Nothing can go on: says why and ends with code 1. */
function fail(error: Error): void {
  if (isEnding()) return;
  process.stderr.write(`adaptation_node: ${error.message}\n`);
  void end(1);
}

main().catch(fail);
