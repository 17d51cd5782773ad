/** The tables of docs/benchmarks.md, made from the bench's JSON. */
import type { Percentiles } from '../src/demo/percentiles';
import { alignedTable, replaceBetween, type Marks } from '../src/markdown';
import type { BenchReport, ResidentMemory, Soak } from './report';
import { verdict } from './verdict';

const MARKS: Marks = {
  begin: '<!-- bench:begin (npm run bench writes what is between these two marks) -->',
  end: '<!-- bench:end -->',
};

/** Replaces what is between the marks. Throws Error naming the file when they are not there. */
export async function replaceTable(path: string, report: BenchReport): Promise<void> {
  await replaceBetween(path, MARKS, benchTable(report));
}

export function benchTable(report: BenchReport): string {
  const { conditions } = report;
  const { model } = conditions;
  const rows: [what: string, p50: string, p95: string, target: string][] = [
    ['bare session.run, network-size image', ...ms(report.session_run_ms), ''],
    ['bare session.run, 640x480 image', ...ms(report.session_run_640x480_ms), ''],
    ['depth_node, image published to depth received, 640x480', ...ms(report.node_latency_ms), latencyTarget(report)],
    ['Python peer, the same', ...ms(report.peer_latency_ms), ''],
    ['Python peer with OpenCV resize, the same', ...ms(report.peer_opencv_latency_ms), ''],
  ];
  const rates: [what: string, rate: string, target: string][] = [
    ['depth_node, 640x480', perSecond(report.node_fps), atLeast(report.node_fps, 35)],
    ['Python peer, 640x480', perSecond(report.peer_fps), ''],
    ['Python peer with OpenCV resize, 640x480', perSecond(report.peer_opencv_fps), ''],
    ['depth_node, 1280x720', perSecond(report.node_fps_1280x720), ''],
    ['Python peer, 1280x720', perSecond(report.peer_fps_1280x720), ''],
  ];
  const lines = [
    `${conditions.cpu}, ${conditions.cores} cores, load ${conditions.load_average_before.toFixed(2)} before; ${conditions.threads} threads in every session; ` +
      `${conditions.rounds} alternating rounds of ${conditions.seconds_per_measurement} s; Node ${conditions.node}, ROS 2 ${conditions.ros}; ` +
      `model ${model.name} ${model.version}, ${model.width}x${model.height}, sha256 ${model.sha256.slice(0, 12)}.`,
    '',
    ...alignedTable(['milliseconds', 'p50', 'p95', 'asked for'], rows),
    '',
    ...alignedTable(['as fast as it goes', 'depths/s', 'asked for'], rates),
  ];
  if (report.soak) lines.push('', ...soakTable(report.soak));
  return `${lines.join('\n')}\n`;
}

function soakTable(soak: Soak): string[] {
  const { depth_node: depthNode, replay_node: replayNode } = soak.rss_mib;
  const memory = ({ quarters, most }: ResidentMemory): string => `${quarters.join(', ')} MiB (most ${most})`;
  // The first quarter may still be filling buffers.
  const flat = ({ quarters }: ResidentMemory): string =>
    `flat, last within 5 % of second: ${verdict(Math.abs(quarters[3] / quarters[1] - 1) < 0.05)}`;
  return alignedTable(
    [`${soak.image}, ${soak.seconds.toFixed(0)} s`, 'measured', 'asked for'],
    [
      ['depths per second', perSecond(soak.depths_per_s), atLeast(soak.depths_per_s, 24)],
      [
        'images without a depth',
        `${soak.published - soak.depths} of ${soak.published} (${(100 * soak.dropped_share).toFixed(2)} %)`,
        `under 2 %: ${verdict(soak.dropped_share < 0.02)}`,
      ],
      [
        'stamp to depth received, p50 / p95',
        `${soak.latency_ms.p50.toFixed(1)} / ${soak.latency_ms.p95.toFixed(1)} ms`,
        '',
      ],
      ['memory of depth_node, means of quarters', memory(depthNode), flat(depthNode)],
      ['memory of replay_node, means of quarters', memory(replayNode), flat(replayNode)],
      ['cores used, depth_node / replay_node', `${soak.cores_used.depth_node} / ${soak.cores_used.replay_node}`, ''],
    ],
  );
}

function ms({ p50, p95 }: Percentiles): [string, string] {
  return [p50.toFixed(1), p95.toFixed(1)];
}

function perSecond(rate: number): string {
  return rate.toFixed(1);
}

function latencyTarget({ node_latency_ms: node, peer_latency_ms: peer, session_run_ms: bare }: BenchReport): string {
  const ratio = node.p50 / peer.p50;
  const over = node.p50 - bare.p50;
  return (
    `at most 0.85 x peer: ${ratio.toFixed(2)}, ${verdict(ratio <= 0.85)}; ` +
    `at most bare + 12 ms: ${over < 0 ? '' : '+'}${over.toFixed(1)}, ${verdict(over <= 12)}`
  );
}

function atLeast(value: number, target: number): string {
  return `at least ${target}: ${verdict(value >= target)}`;
}
