/** dashboard_node beside a real depth_node with an rclpy process at the other end, and a browser's side of its WebSocket. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { CAMERA, DepthNodeRig, HEIGHT, IMAGE, INFO, picture, WIDTH } from './depthNode';
import { NodeProcess, PATIENCE, rosEnvironment } from './ros';

export const DEPTH = '/depth_node/depth';
export const PAGE = /page of \S+: (http:\S+)/;
/** Of what the test waits for on a page. */
export const WAIT_MS = 30_000 * PATIENCE;
const PICTURES = 8;

export class DashboardRig extends DepthNodeRig {
  dashboard!: NodeProcess;
  /** Address of the page. */
  url = '';
  #env: NodeJS.ProcessEnv = {};

  /** Starts all three. @param topics of the peer */
  async startDashboard(
    topics: string[],
    dashboardArguments: string[] = [],
    depthNodeArguments: string[] = [],
  ): Promise<void> {
    this.#env = rosEnvironment();
    await this.start(depthNodeArguments, topics, this.#env);
    await this.runDashboard(['-p', 'port:=0', '-p', 'foxglove_port:=0', ...dashboardArguments]);
  }

  async runDashboard(rosArguments: string[], env = this.#env): Promise<NodeProcess> {
    this.dashboard = new NodeProcess('dashboardNode', ['-r', `image:=${IMAGE}`, ...rosArguments], env);
    this.url = PAGE.exec(await this.dashboard.logged(PAGE))![1];
    return this.dashboard;
  }

  /** For another process that is to hear these. */
  get domain(): string {
    return this.#env.ROS_DOMAIN_ID!;
  }

  /** A few pictures again and again, with camera_info; as fast as depth_node keeps up, `rate` at most. @param d the lens distortion */
  async stream(rate = 10, d = CAMERA.d): Promise<void> {
    const path = join(this.folder, 'frames.rgb');
    writeFileSync(path, Buffer.concat(Array.from({ length: PICTURES }, (_, seed) => picture(WIDTH, HEIGHT, seed))));
    const { k } = CAMERA;
    const [width, height] = [WIDTH, HEIGHT];
    await this.peer.command('start_stream', {
      topic: IMAGE,
      info: INFO,
      depth: DEPTH,
      frameId: 'front_optical',
      path,
      width,
      height,
      rate,
      k,
      d,
    });
  }

  async subscribers(topic: string): Promise<number> {
    return (await this.peer.command('subscribers', { topic })).count as number;
  }

  override async stop(): Promise<void> {
    await this.dashboard?.kill();
    await super.stop();
  }
}

interface ReceivedFrame {
  readonly header: {
    readonly view: string;
    readonly sequence: number;
    readonly stamp?: { sec: number; nanosec: number };
    readonly [field: string]: unknown;
  };
  readonly payload: Buffer;
}

/** What the page's connection.js does, in a test's hands. */
export class ViewClient {
  readonly frames: ReceivedFrame[] = [];
  readonly states: Record<string, unknown>[] = [];
  readonly opened: Promise<void>;
  readonly socket: WebSocket;

  /** @param answers says at once that a frame is drawn */
  constructor(url: string, { answers = true, headers = {} as Record<string, string> } = {}) {
    const address = new URL('/views', url);
    address.protocol = 'ws:';
    this.socket = new WebSocket(address, { headers });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
    this.opened.catch(() => undefined);
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) {
        this.states.push(JSON.parse(data.toString()) as Record<string, unknown>);
        return;
      }
      const length = data.readUInt32LE(0);
      const header = JSON.parse(data.toString('utf8', 4, 4 + length)) as ReceivedFrame['header'];
      this.frames.push({ header, payload: data.subarray(4 + length) });
      if (answers) this.say({ drawn: header.view, sequence: header.sequence });
    });
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  of(view: string): ReceivedFrame[] {
    return this.frames.filter(({ header }) => header.view === view);
  }

  close(): void {
    this.socket.terminate();
  }
}

/** Polls until it is so; what was seen instead goes into the error. */
export async function eventually(
  isSo: () => boolean | Promise<boolean>,
  what: () => string,
  limitMs = WAIT_MS,
): Promise<void> {
  for (const end = Date.now() + limitMs; !(await isSo());) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
