/** adaptation_node, a depth_node and an rclpy process in one ROS domain, on rendered scenes at a size that a test has time for. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { evening, RenderedDrive, SMALL, smallModel } from './renderedDrive';
import { NodeProcess, PATIENCE, Peer, rosEnvironment, type PeerMessage } from './ros';

export const IMAGE = '/camera/image_raw';
const INFO = '/camera/camera_info';
export const DEPTH = '/depth_node/depth';
export const STATUS = '/adaptation_node/status';
export const ACK = '/depth_node/model_ack';
export const UPDATE = '/depth_node/model_update';
const TWIST = '/vehicle/twist';
export const ODOMETRY = '/vehicle/odometry';
/** A loaded machine has minutes for what an idle one does in seconds. */
export const PATIENCE_MS = 90_000 * PATIENCE;
/** Of a whole test. */
export const TEST_MS = 300_000 * PATIENCE;

/** The constants of AdaptationStatus.msg. */
export const STATE = { starting: 0, disabled: 1, waiting: 2, learning: 3, candidate: 4, paused: 5, failed: 6 };

export interface Status extends PeerMessage {
  state: number;
  reason: string;
  step: number;
  promoted: number;
  rolled_back: number;
  update_version: number;
  updates_accepted: number;
  updates_refused: number;
  skipped_reasons: string[];
  skipped_counts: number[];
}

export interface Diagnostic {
  name: string;
  level: number;
  message: string;
  values: Record<string, string>;
}

export interface StreamCommand {
  path?: string;
  rate?: number;
  offset?: number;
  /** JPEGs of `writeJpegs`, on the image topic's /compressed. */
  compressed?: boolean;
  /** Without camera_info. */
  blind?: boolean;
  /** m/s on the twist topic, */
  speed?: number;
  /** or on this one, as nav_msgs/Odometry. */
  odometry?: string;
  /** rad/s, beside the speed. */
  turn?: number;
  width?: number;
  height?: number;
}

/** Quick to judge, easy to please: tests of the hand-over, not of the learning. */
const EAGER = {
  buffer_megabytes: '6.0',
  judged_place: 2,
  judged_source: 2,
  judged_every: 4,
  least_judged: 2,
  judge_every: 3,
  learning_rate: '3e-4',
  ema_decay: '0.8',
  max_source_rise: '0.5',
  error_band: '1.0',
  scale_band: '2.0',
  consistency_band: '10.0',
  duty_cycle: '1.0',
  step_period: '0.0',
  min_motion: '0.5',
  image_reliability: 'reliable',
};

export class AdaptationRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'depthgrad-adaptation-'));
  readonly model = join(this.folder, 'small.onnx');
  readonly state = join(this.folder, 'state');
  readonly source = join(this.folder, 'source');
  readonly place = join(this.folder, 'place.rgb');
  readonly #drive = new RenderedDrive('place', 5, 24, evening);
  peer!: Peer;
  depthNode?: NodeProcess;
  node!: NodeProcess;
  environment!: NodeJS.ProcessEnv;
  /** Of adaptation_node: NodeProcess's. */
  wrapper: string[] = [];

  /**
   * @param namespace of both nodes and all topics but /diagnostics: `/front`
   * @param shared environment of another rig, in whose ROS domain this one is
   */
  constructor(
    readonly namespace = '',
    private readonly shared?: () => NodeJS.ProcessEnv,
  ) {}

  /** Writes model, source drive and place; once for all tests of a file. */
  async prepare(): Promise<void> {
    writeFileSync(this.model, smallModel());
    const source = new RenderedDrive('source', 1, 30);
    mkdirSync(this.source);
    const { width, height } = SMALL;
    const { fx, fy, cx, cy } = source.intrinsics;
    const camera = { image_width: width, image_height: height, fx, fy, cx, cy, fps: source.framesPerSecond };
    writeFileSync(
      join(this.source, 'calib.yaml'),
      Object.entries(camera)
        .map(([key, value]) => `${key}: ${value}\n`)
        .join(''),
    );
    const pixels = new Uint8Array(3 * width * height);
    for (let i = 0; i < source.count; i++) {
      source.readFrame(i, pixels);
      const file = join(this.source, `${i}`.padStart(6, '0') + '.png');
      await sharp(pixels, { raw: { width, height, channels: 3 } })
        .png()
        .toFile(file);
    }
    this.write('place.rgb', (frame, into) => this.#drive.readFrame(frame, into), this.#drive.count);
  }

  /** A file of frames for `stream`. @returns its path */
  write(
    name: string,
    make: (frame: number, into: Uint8Array) => void,
    count: number,
    { width, height }: { readonly width: number; readonly height: number } = SMALL,
  ): string {
    const path = join(this.folder, name);
    const frames = Array.from({ length: count }, (_, frame) => {
      const into = new Uint8Array(3 * width * height);
      make(frame, into);
      return into;
    });
    writeFileSync(path, Buffer.concat(frames));
    return path;
  }

  /** The place as JPEGs, for a compressed `stream`. @returns its path */
  async writeJpegs(): Promise<string> {
    const path = join(this.folder, 'place.jpegs');
    const files = await Promise.all(
      Array.from({ length: this.#drive.count }, (_, frame) =>
        sharp(this.placeFrame(frame), { raw: { ...SMALL, channels: 3 } })
          .jpeg({ quality: 95 })
          .toBuffer(),
      ),
    );
    const length = (file: Buffer): Buffer => Buffer.from(Uint32Array.of(file.length).buffer);
    writeFileSync(path, Buffer.concat(files.flatMap((file) => [length(file), file])));
    return path;
  }

  /** The place's frame, for changes to it. */
  placeFrame(frame: number): Uint8Array {
    const into = new Uint8Array(3 * SMALL.width * SMALL.height);
    this.#drive.readFrame(frame % this.#drive.count, into);
    return into;
  }

  /** Its ROS domain, and whatever it keeps. */
  prepareEnvironment(): NodeJS.ProcessEnv {
    return (this.environment = this.shared?.() ?? { ...rosEnvironment(), DEPTHGRAD_CACHE: join(this.folder, 'cache') });
  }

  async start(parameters: Record<string, string | number | boolean> = {}, ofDepthNode: string[] = []): Promise<void> {
    this.prepareEnvironment();
    const { odometry_topic: odometry } = parameters;
    const speed = odometry ? `${odometry}=Odometry:pub` : `${TWIST}=TwistStamped:pub`;
    this.peer = new Peer(
      [
        parameters.image_transport === 'compressed' ? `${IMAGE}/compressed=CompressedImage:pub` : `${IMAGE}=Image:pub`,
        `${INFO}=CameraInfo:pub`,
        speed,
        `${DEPTH}=Image:sub`,
        `${STATUS}=AdaptationStatus:latched_sub`,
        `${UPDATE}=ModelUpdate:latched_sub`,
        `${ACK}=ModelAck:latched_sub`,
      ]
        .map((topic) => this.namespace + topic)
        .concat('/diagnostics=DiagnosticArray:sub'),
      this.environment,
    );
    this.runDepthNode(ofDepthNode);
    this.runAdaptation({ ...(!odometry && { twist_topic: this.namespace + TWIST }), ...parameters });
    await this.peer.matched();
  }

  /** The topic in the rig's namespace. */
  of(topic: string): string {
    return this.namespace + topic;
  }

  /** @param extra environment variables */
  runDepthNode(rosArguments: string[] = [], extra: NodeJS.ProcessEnv = {}): NodeProcess {
    const fixed = [...this.#remapped(), '-p', `model:=${this.model}`, '-p', 'image_reliability:=reliable'];
    const environment = { ...this.environment, ...extra };
    return (this.depthNode = new NodeProcess('depthNode', [...fixed, ...rosArguments], environment));
  }

  runAdaptation(parameters: Record<string, string | number | boolean> = {}): NodeProcess {
    return (this.node = this.adaptationProcess(parameters));
  }

  /** One more adaptation_node, which `stop` knows nothing of. */
  adaptationProcess(parameters: Record<string, string | number | boolean>, rosArguments: string[] = []): NodeProcess {
    const all = { model: this.model, source: this.source, folder: this.state, ...EAGER, ...parameters };
    const given = Object.entries(all).flatMap(([name, value]) => ['-p', `${name}:=${value}`]);
    const inAll = [...this.#remapped(), ...given, ...rosArguments];
    return new NodeProcess('adaptationNode', inAll, this.environment, this.wrapper);
  }

  #remapped(): string[] {
    const namespace = this.namespace ? ['-r', `__ns:=${this.namespace}`] : [];
    return [...namespace, '-r', `image:=${this.of(IMAGE)}`];
  }

  /** The place in a loop, or the frames of `path`, until `stopStream`; in place of a stream before. */
  async stream(stream: StreamCommand = {}): Promise<void> {
    const { path = this.place, rate = 10, blind = false, speed, odometry, ...rest } = stream;
    const { fx, fy, cx, cy } = this.#drive.intrinsics;
    const k = [fx, 0, cx, 0, fy, cy, 0, 0, 1];
    const info = blind ? {} : { info: this.of(INFO) };
    const vehicle = speed === undefined ? {} : odometry ? { odometry, speed } : { twist: this.of(TWIST), speed };
    const command = {
      topic: this.of(rest.compressed ? `${IMAGE}/compressed` : IMAGE),
      depth: this.of(DEPTH),
      path,
      rate,
      k,
      ...SMALL,
      ...info,
      ...vehicle,
      ...rest,
    };
    await this.peer.command('start_stream', command);
  }

  /** @returns the stamps of all images of the stream */
  async stopStream(): Promise<[number, number][]> {
    return (await this.peer.command('stop_stream')).stamps as [number, number][];
  }

  /** The first status from now on that fits. */
  async status(fits: (status: Status) => boolean): Promise<Status> {
    this.peer.forget(this.of(STATUS));
    return (await this.peer.message(this.of(STATUS), (message) => fits(message as Status), PATIENCE_MS)) as Status;
  }

  /** Once nothing is being learned or judged any more, because no images come. */
  async settled(): Promise<Status> {
    let before = await this.status(() => true);
    for (;;) {
      const now = await this.status(() => true);
      if (now.state !== STATE.candidate && now.step === before.step && now.promoted === before.promoted) return now;
      before = now;
    }
  }

  /** The first diagnostic of the part (Learner, Camera, Hand-over, Storage) from now on that fits. */
  async diagnostic(part: string, fits: (status: Diagnostic) => boolean): Promise<Diagnostic> {
    const ofPart = (message: PeerMessage): Diagnostic | undefined =>
      (message.status as Diagnostic[]).find(({ name }) => name === `${this.namespace}/adaptation_node: ${part}`);
    this.peer.forget('/diagnostics');
    const found = await this.peer.message(
      '/diagnostics',
      (message) => {
        const status = ofPart(message);
        return status !== undefined && fits(status);
      },
      PATIENCE_MS,
    );
    return ofPart(found)!;
  }

  async service(name: string, value?: boolean): Promise<{ success: boolean; message: string }> {
    const service = this.of(`/adaptation_node/${name}`);
    const answer = await this.peer.command(value === undefined ? 'trigger' : 'set_bool', { service, value });
    const { success, message } = answer as { success: boolean; message: string };
    return { success, message };
  }

  async stop(): Promise<void> {
    await this.node?.kill();
    await this.depthNode?.kill();
    await this.peer?.close();
  }
}
