/** npm run demo: a drive through replay_node and depth_node, to pictures and a report. */
import { randomInt } from 'node:crypto';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { resolveFile } from '../paths';
import { positive } from '../training/flags';
import { runDrive } from './drive';
import { stopAllNodes } from './nodeProcess';
import { writeOutputs } from './outputs';
import { resolveSource } from './sources';
import { StatusLine } from './statusLine';

interface DemoOptions {
  readonly source: string;
  readonly seconds: number;
  readonly out: string;
  readonly headless: boolean;
  readonly adapt: boolean;
  readonly dashboard: boolean;
  readonly model?: string;
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;
/** Domains whose ports are outside every system's range of temporary ports. */
const HIGHEST_DOMAIN = 100;

const program = new Command('demo')
  .description(
    'Plays a drive through replay_node and depth_node; writes frames.png, depth.webp, trajectory.png and report.json.',
  )
  .option(
    '--source <name>',
    'highway, mountain, a video file, a folder of images, or a camera (/dev/videoN)',
    'mountain',
  )
  .option('--seconds <n>', 'seconds of depths; the end of the source may come before', positive, 30)
  .option('--out <dir>', 'folder for the files', 'out/demo')
  .option('--headless', 'plain lines, none written over', false)
  .option('--adapt', 'adapt the model to the drive meanwhile (adaptation_node); its state is kept in the folder', false)
  .option('--dashboard', 'show the drive in a browser (dashboard_node); the address is printed', false)
  .option('--model <file>', "ONNX model (default: depth_node's own)");

async function main(options: DemoOptions): Promise<void> {
  const source = await resolveSource(options.source);
  const modelPath = options.model && resolve(resolveFile(options.model));
  // A ROS domain of its own: what else runs on this network is neither heard nor disturbed.
  process.env.ROS_DOMAIN_ID ||= `${randomInt(1, HIGHEST_DOMAIN + 1)}`;
  const statusLine = new StatusLine(options.headless);
  const adaptationFolder = options.adapt ? join(resolve(options.out), 'adaptation') : undefined;
  const { seconds, dashboard } = options;
  const result = await runDrive({ source, seconds, modelPath, adaptationFolder, dashboard, statusLine });
  const { report } = result;
  statusLine.print(
    `${report.frames_out} depths in ${report.seconds.toFixed(1)} s: ${report.fps.toFixed(1)}/s, latency p50 ${report.latency_ms.p50} p95 ${report.latency_ms.p95} ms, ` +
      `${report.dropped} of ${report.frames_in} frames dropped, ${report.model.name} ${report.model.version}, ROS 2 ${report.ros.distro}`,
  );
  const { adaptation } = report;
  if (adaptation) {
    const { steps, promoted, rolled_back: rolledBack, state, reason } = adaptation;
    statusLine.print(`adaptation: ${steps} steps, ${promoted} promoted, ${rolledBack} rolled back; ${reason || state}`);
  }
  for (const file of await writeOutputs(resolve(options.out), result)) statusLine.print(file);
}

let ending = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (ending) return;
    ending = true;
    process.stderr.write(`\ndemo: ended by ${signal}, nothing written\n`);
    void stopAllNodes().finally(() => process.exit(EXIT_CODES[signal]));
  });
}
program.parse();
main(program.opts<DemoOptions>()).then(
  () => void (ending || process.exit(0)),
  (error: unknown) => {
    if (ending) return; // the nodes' end is what was asked for
    process.stderr.write(`\ndemo: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
