/** The dashboard's table in docs/benchmarks.md, made from the JSON of npm run bench:dashboard. */
import { median } from '../src/geometry/statistics';
import { alignedTable, replaceBetween, type Marks } from '../src/markdown';
import type { DashboardReport, Looker, Watched } from './dashboardReport';
import { describeLoad } from './machine';
import { verdict } from './verdict';

const MARKS: Marks = {
  begin: '<!-- dashboard:begin (npm run bench:dashboard writes what is between these two marks) -->',
  end: '<!-- dashboard:end -->',
};
/** Of depth_node's rate. */
const MOST_COST = 0.1;

const NAMES: Readonly<Record<Looker, string>> = {
  nobody: 'no dashboard_node',
  reader: 'every view sent and acknowledged, drawn elsewhere',
  browser: 'Chromium on the same cores draws every view, without a GPU',
};

/** Replaces what is between the marks. Throws Error naming the file when they are not there. */
export async function replaceDashboardTable(path: string, report: DashboardReport): Promise<void> {
  await replaceBetween(path, MARKS, dashboardTable(report));
}

export function dashboardTable(report: DashboardReport): string {
  const { machine, saturated, paced, images_per_s: rate, no_browser: noBrowser } = report;
  const bare = median(saturated[0].depths_per_s);
  const rows = saturated.map((fast, i): string[] => {
    const ratio = median(fast.depths_per_s) / bare;
    const asked = fast.looker === 'reader' ? `at least ${1 - MOST_COST}: ${verdict(ratio >= 1 - MOST_COST)}` : '';
    return [
      NAMES[fast.looker],
      spread(fast),
      ratio.toFixed(3),
      asked,
      median(paced[i].depths_per_s).toFixed(1),
      median(fast.frames_per_s).toFixed(0),
      median(fast.dashboard_cores).toFixed(2),
    ];
  });
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${describeLoad(machine)}; Node ${machine.node}; ${report.model}, ${report.threads} threads of onnxruntime; ` +
      `${report.width}x${report.height}, ${report.rounds} rounds of ${report.seconds_per_measurement} s in turns, medians; max_rate ${report.max_rate}.`,
    '',
    ...alignedTable(
      [
        'who looks',
        'depths/s as fast as it goes (least, most)',
        'share',
        'asked for',
        `depths/s of ${rate} images/s`,
        'frames/s',
        'cores of dashboard_node',
      ],
      rows,
    ),
  ];
  if (noBrowser) lines.push('', `No browser: ${noBrowser}`);
  return `${lines.join('\n')}\n`;
}

function spread({ depths_per_s: rates }: Watched): string {
  return `${median(rates).toFixed(1)} (${Math.min(...rates).toFixed(1)}, ${Math.max(...rates).toFixed(1)})`;
}
