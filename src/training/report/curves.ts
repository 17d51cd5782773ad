/** The log of a run as curves: one chart per figure, one line per data set, drawn to SVG without a browser. */
import { init, type EChartsOption } from 'echarts';
import type { LogEntry } from '../runFolder';

const WIDTH = 460;
const HEIGHT = 250;
/** More points than this are thinned out: they would lie on the same pixels. */
const MOST_POINTS = 500;
/** A positive curve that spans more than this factor is drawn in logarithms. */
const LOGARITHMIC_SPAN = 30;
const COLOURS: Record<string, string> = {
  validation: '#d0416f',
  drives: '#3b528b',
  synthetic: '#7ad151',
  reference: '#808080',
  published: '#d0416f',
  candidate: '#3b528b',
  learning: '#3b528b',
};
const FONT = 'sans-serif';

/** Values by step, NaN where the logged one was none. */
export type Line = [step: number, value: number][];

/** One figure: its lines by data set, "validation" among them. */
export interface Figure {
  name: string;
  lines: Map<string, Line>;
}

/** Groups whose figures stand alone: they are of the whole run, not of a data set. `weight` is what a loss term counts. */
const RUN_GROUPS = ['time', 'memory', 'weight'];

/** The log's figures in the order they first appear, the losses first and what is of the whole run last. */
export function figuresOf(log: readonly LogEntry[]): Figure[] {
  const figures = new Map<string, Figure>();
  for (const entry of log) {
    for (const [key, value] of Object.entries(entry)) {
      if (key === 'step' || key === 'stage') continue;
      const slash = key.indexOf('/');
      const group = key.slice(0, Math.max(0, slash));
      const own = slash < 0 || RUN_GROUPS.includes(group);
      const name = own ? key : key.slice(slash + 1);
      const figure = figures.get(name) ?? { name, lines: new Map<string, Line>() };
      figures.set(name, figure);
      const lineName = own ? 'run' : group;
      const line = figure.lines.get(lineName) ?? [];
      figure.lines.set(lineName, line);
      line.push([entry.step, typeof value === 'number' ? value : NaN]);
    }
  }
  const rank = ({ name, lines }: Figure): number => (name === 'loss' ? 0 : lines.has('run') ? 2 : 1);
  return [...figures.values()].sort((a, b) => rank(a) - rank(b));
}

function thin(line: Line): Line {
  const every = Math.ceil(line.length / MOST_POINTS);
  return line.filter((_, i) => i % every === 0 || i === line.length - 1);
}

/** The steps a curve goes over, and those that are marked by a grey line. */
export interface CurveSpan {
  end: number;
  borders: readonly number[];
}

/** @returns an svg element to stand in a page */
export function drawFigure({ name, lines }: Figure, { end, borders }: CurveSpan): string {
  const values = [...lines.values()].flatMap((line) => line.map(([, value]) => value)).filter(Number.isFinite);
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const option: EChartsOption = {
    animation: false,
    backgroundColor: 'white',
    textStyle: { fontFamily: FONT },
    title: { text: name, left: 8, top: 4, textStyle: { fontFamily: FONT, fontSize: 14 } },
    legend: { show: !lines.has('run'), right: 8, top: 4, textStyle: { fontFamily: FONT } },
    grid: { left: 66, right: 18, top: 40, bottom: 34 },
    xAxis: { type: 'value', min: 0, max: end },
    yAxis: {
      type: low > 0 && high / low > LOGARITHMIC_SPAN ? 'log' : 'value',
      scale: true,
      axisLabel: { formatter: (value: number) => String(Number(value.toPrecision(3))) },
    },
    series: [...lines].map(([lineName, line], index) => ({
      name: lineName,
      type: 'line' as const,
      data: thin(line.filter(([, value]) => Number.isFinite(value))),
      showSymbol: lineName === 'validation' || line.length === 1,
      lineStyle: { width: 1.5 },
      color: COLOURS[lineName] ?? '#51127c',
      markLine:
        index > 0
          ? undefined
          : {
              silent: true,
              symbol: 'none',
              label: { show: false },
              lineStyle: { color: '#999999' },
              data: borders.map((xAxis) => ({ xAxis })),
            },
    })),
  };
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  try {
    chart.setOption(option);
    // Inside a page an svg element needs no namespace, and the report refers to no address at all.
    return chart.renderToSVGString().replace(/ xmlns(:\w+)?="[^"]*"/g, '');
  } finally {
    chart.dispose();
  }
}
