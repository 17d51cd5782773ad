/**
 * npm run bench:dashboard: what a browser that looks at every panel costs depth_node's rate, in turns with nobody looking.
 *
 *     npm run bench:dashboard -- --json dashboard.json --table docs/benchmarks.md          measure
 *     npm run bench:dashboard -- --from dashboard.json --table docs/benchmarks.md          the table again from a file
 */
import { randomInt } from 'node:crypto';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { WebSocket } from 'ws';
import { NodeProcess, nodeCommand, stopAllNodes } from '../src/demo/nodeProcess';
import { hundredth } from '../src/demo/percentiles';
import { packageRoot, resolveFile } from '../src/paths';
import { positive, positiveInteger } from '../src/training/flags';
import { LOOKERS, type DashboardReport, type Looker, type Watched } from './dashboardReport';
import { replaceDashboardTable } from './dashboardTable';
import { findBrowser, openBrowser, type FoundBrowser } from './headlessBrowser';
import { describeMachine } from './machine';
import { processorSeconds } from './processorTime';
import { writeReport, type ReportFlags } from './reportFiles';
import { measure, namespace, startTarget, type Target } from './targets';

const VIEWS = ['camera', 'depth', 'gradient', 'confidence', 'trajectory', 'comparison'];
const PAGE_LIMIT_MS = 20_000;

interface DashboardOptions extends ReportFlags {
  readonly model: string;
  readonly threads: number;
  readonly width: number;
  readonly height: number;
  readonly rate: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly maxRate: number;
}

const log = (text: string): void => void process.stderr.write(`bench:dashboard: ${text}\n`);

/** Somebody who looks, until closed. */
interface Looking {
  /** Frames drawn or acknowledged so far. */
  frames(): Promise<number>;
  close(): Promise<void>;
}

async function measureAll(options: DashboardOptions): Promise<DashboardReport> {
  const python = process.env.DEPTHGRAD_PYTHON;
  if (!process.env.ROS_DISTRO || !python) {
    throw new Error('ROS 2 is not in this environment: use npm run bench:dashboard');
  }
  process.env.ROS_DOMAIN_ID ||= `${randomInt(1, 101)}`;
  const machine = describeMachine(log);
  const { model, threads, width, height, rate, rounds, seconds, maxRate } = options;
  const found = findBrowser();
  const browser = 'missing' in found ? undefined : found;
  const lookers = LOOKERS.filter((looker) => looker !== 'browser' || browser);

  const target = startTarget('node', { python, modelPath: resolve(resolveFile(model)), threads });
  const kinds = [0, rate].map((images) => ({ images, watched: lookers.map((looker) => new Rounds(looker)) }));
  try {
    for (let round = 0; round < rounds; round++) {
      // Each looker goes first now and then: a machine that slows down with time favours none.
      for (let turn = 0; turn < lookers.length; turn++) {
        const which = (round + turn) % lookers.length;
        for (const { images, watched } of kinds) {
          const looking = { looker: lookers[which], maxRate, browser };
          const figures = await measureOne(target, { ...looking, python, width, height, rate: images, seconds });
          watched[which].add(figures);
          const { depths, frames, cores } = figures;
          const shown = `${depths.toFixed(1)} depths/s, ${frames.toFixed(0)} frames/s, ${cores.toFixed(2)} cores`;
          log(`round ${round + 1} of ${rounds}: ${lookers[which]} at ${images || 'full'} rate: ${shown}`);
        }
      }
    }
  } finally {
    await target.process.stop();
  }
  const [saturated, paced] = kinds.map(({ watched }) => watched.map((one) => one.report()));
  const conditions = { machine, model, threads, width, height, rounds, seconds_per_measurement: seconds };
  const rest = { max_rate: maxRate, saturated, paced, images_per_s: rate };
  return { ...conditions, ...rest, ...('missing' in found && { no_browser: found.missing }) };
}

interface Figures {
  readonly depths: number;
  readonly frames: number;
  readonly cores: number;
}

class Rounds {
  readonly #figures: Figures[] = [];

  constructor(private readonly looker: Looker) {}

  add(figures: Figures): void {
    this.#figures.push(figures);
  }

  report(): Watched {
    const of = (name: keyof Figures): number[] => this.#figures.map((figures) => hundredth(figures[name]));
    return {
      looker: this.looker,
      depths_per_s: of('depths'),
      frames_per_s: of('frames'),
      dashboard_cores: of('cores'),
    };
  }
}

interface OneOptions {
  readonly looker: Looker;
  readonly maxRate: number;
  readonly browser: FoundBrowser | undefined;
  readonly python: string;
  readonly width: number;
  readonly height: number;
  readonly rate: number;
  readonly seconds: number;
}

async function measureOne(target: Target, { looker, maxRate, browser, ...options }: OneOptions): Promise<Figures> {
  if (looker === 'nobody') return { depths: (await measure(target, options)).per_second, frames: 0, cores: 0 };
  const { node, address } = await startDashboard(target, maxRate);
  let looking: Looking | undefined;
  try {
    looking = looker === 'reader' ? await read(address) : await openPage(browser!, address);
    const [frames, used, started] = [await looking.frames(), processorSeconds(node.pid), performance.now()];
    const { per_second: depths } = await measure(target, options);
    const seconds = (performance.now() - started) / 1000;
    const [shown, cores] = [(await looking.frames()) - frames, processorSeconds(node.pid) - used];
    if (shown === 0) throw new Error(`dashboard_node sent nothing to the ${looker}: ${address}`);
    return { depths, frames: shown / seconds, cores: cores / seconds };
  } finally {
    await looking?.close();
    await node.stop();
  }
}

async function startDashboard(target: Target, maxRate: number): Promise<{ node: NodeProcess; address: string }> {
  let node!: NodeProcess;
  const address = new Promise<string>((resolve) => {
    node = new NodeProcess({
      name: 'dashboard_node',
      command: nodeCommand('dashboardNode'),
      remap: { __ns: namespace(target.name) },
      parameterFile: join(packageRoot(), 'config', 'camera.yaml'),
      // Not whole: JSON writes 10.0 as 10, to ROS an integer.
      parameters: { port: 0, foxglove_port: 0, max_rate: maxRate + 1e-6 },
      onLine: (line) => {
        const url = /page of \S+: (http:\S+)/.exec(line)?.[1];
        if (url) resolve(url);
      },
    });
  });
  const died = node.ended.then(() => {
    throw new Error(node.describeEnd());
  });
  died.catch(() => undefined); // when it is ended later, on purpose
  return { node, address: await Promise.race([address, died]) };
}

/** Takes every view and says at once that it is drawn. */
async function read(address: string): Promise<Looking> {
  let frames = 0;
  const socket = new WebSocket(`${address.replace('http', 'ws')}views`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('message', (data: Buffer, isBinary) => {
    if (!isBinary) return;
    frames++;
    const { view, sequence } = JSON.parse(data.toString('utf8', 4, 4 + data.readUInt32LE(0))) as Record<
      string,
      unknown
    >;
    socket.send(JSON.stringify({ drawn: view, sequence }));
  });
  socket.send(JSON.stringify({ want: VIEWS }));
  return { frames: () => Promise.resolve(frames), close: () => Promise.resolve(socket.terminate()) };
}

async function openPage(found: FoundBrowser, address: string): Promise<Looking> {
  const browser = await openBrowser(found, { width: 1600, height: 1000 });
  const page = await browser.newPage();
  await page.goto(address);
  await page.waitForFunction("document.querySelector('#connection').textContent === 'live'", {
    timeout: PAGE_LIMIT_MS,
  });
  return {
    frames: () => page.evaluate('globalThis.dashboard.frames') as Promise<number>,
    close: () => browser.close(),
  };
}

async function main(options: DashboardOptions): Promise<void> {
  await writeReport(options, {
    command: 'npm run bench:dashboard',
    measure: () => measureAll(options),
    writeTable: replaceDashboardTable,
    log,
  });
}

const program = new Command('bench:dashboard')
  .description("Measures what a browser that looks at every panel costs depth_node's rate.")
  .option('--json <file>', 'write the figures to this file')
  .option('--table <file>', 'write the table between the marks of this file')
  .option('--from <file>', 'take the figures from this file instead of measuring')
  .option('--model <file>', 'ONNX model of the default network', 'models/default.onnx')
  .option('--threads <n>', 'threads of every onnxruntime session', positiveInteger, 2)
  .option('--width <n>', 'of the camera images', positiveInteger, 640)
  .option('--height <n>', 'of the camera images', positiveInteger, 480)
  .option('--rate <n>', "a camera's images per second", positiveInteger, 25)
  .option('--rounds <n>', 'measurements of each', positiveInteger, 5)
  .option('--seconds <n>', 'of each measurement', positive, 10)
  .option('--max-rate <n>', 'pictures per second of each view', positive, 10)
  .action(main);

program.parseAsync().then(
  () => process.exit(0),
  (error: Error) => {
    log(error.message);
    void stopAllNodes().finally(() => process.exit(1));
  },
);
