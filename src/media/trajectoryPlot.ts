/** Paths seen from above, as a picture. */
import { writeFile } from 'node:fs/promises';
import { init, type EChartsOption } from 'echarts';
import sharp from 'sharp';
import { FONT, provideFonts } from './fonts';

export const PLOT_WIDTH = 900;
export const PLOT_HEIGHT = 940;
/** Around the axes, which are a square. */
const MARGIN = { left: 80, right: 40, top: 80, bottom: 80 };
const TICKS = 6;
const MOST_POINTS = 4000;

type Point = readonly [x: number, z: number];

export interface PlottedPath {
  /** In the legend, which is drawn where there are several paths. */
  readonly name: string;
  readonly color: string;
  /** Camera positions; those that are not finite are left out. */
  readonly points: readonly Point[];
}

export interface TrajectoryTitle {
  readonly title: string;
  /** Says the unit of the positions, too. */
  readonly subtitle: string;
}

/**
 * Writes paths as PNG, x to the right and z (ahead at the start) upwards, both axes in the same scale. The first path's start and end are marked.
 */
export async function writeTrajectoryPlot(
  file: string,
  paths: readonly PlottedPath[],
  { title, subtitle }: TrajectoryTitle,
): Promise<void> {
  provideFonts();
  const drawn = paths.map(({ points, ...path }) => ({
    ...path,
    points: thin(points.filter((point) => point.every(Number.isFinite))),
  }));
  const [xRange, zRange] = equalScale(drawn.flatMap(({ points }) => points));
  const first = drawn[0].points;
  const option: EChartsOption = {
    animation: false,
    backgroundColor: 'white',
    textStyle: { fontFamily: FONT },
    title: {
      text: title,
      subtext: subtitle,
      left: 'center',
      textStyle: { fontFamily: FONT, fontSize: 20 },
      subtextStyle: { fontFamily: FONT, fontSize: 14 },
    },
    legend: {
      show: drawn.length > 1,
      data: drawn.map(({ name }) => ({ name, icon: 'rect' })),
      orient: 'vertical',
      itemHeight: 4,
      top: MARGIN.top + 10,
      right: MARGIN.right + 10,
      backgroundColor: 'white',
      textStyle: { fontFamily: FONT, fontSize: 14 },
    },
    grid: { ...MARGIN, containLabel: false },
    xAxis: axis('x, to the right of the first camera', xRange),
    yAxis: axis('z, ahead of the first camera', zRange),
    series: [
      ...drawn.map(({ name, color, points }) => ({
        type: 'line' as const,
        name,
        data: points,
        showSymbol: false,
        lineStyle: { color, width: 3 },
        itemStyle: { color },
      })),
      marker('start', '#fc8961', first.slice(0, 1)),
      marker('end', '#1d1147', first.slice(-1)),
    ],
  };
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: PLOT_WIDTH, height: PLOT_HEIGHT });
  try {
    chart.setOption(option);
    await writeFile(file, await sharp(Buffer.from(chart.renderToSVGString())).png().toBuffer());
  } finally {
    chart.dispose();
  }
}

type Range = readonly [low: number, high: number];

function thin(points: readonly Point[]): [number, number][] {
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, i) => i % every === 0 || i === points.length - 1).map(([x, z]) => [x, z]);
}

/** Ranges of both axes with the same units per pixel, the path in their middle, ends on round numbers of one step. */
function equalScale(points: readonly Point[]): [Range, Range] {
  const extent = (axisIndex: 0 | 1): Range => {
    const values = points.map((point) => point[axisIndex]);
    return [Math.min(0, ...values), Math.max(0, ...values)];
  };
  const [x, z] = [extent(0), extent(1)];
  const span = 1.1 * Math.max(x[1] - x[0], z[1] - z[0], 1e-3);
  const step = roundStep(span / TICKS);
  const steps = Math.ceil(span / step) + 1;
  const around = ([low, high]: Range): Range => {
    const from = step * Math.floor((low + high - steps * step) / 2 / step + 0.5);
    return [from, from + steps * step];
  };
  return [around(x), around(z)];
}

/** The next of 1, 2, 5 times a power of ten. */
function roundStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((factor) => factor * power >= value) ?? 10);
}

function axis(name: string, [min, max]: Range) {
  const interval = roundStep((max - min) / (TICKS + 2));
  const decimals = Math.max(0, -Math.floor(Math.log10(interval)));
  return {
    type: 'value' as const,
    name,
    nameLocation: 'middle' as const,
    nameGap: 45,
    nameTextStyle: { fontFamily: FONT, fontSize: 14 },
    min,
    max,
    interval,
    axisLine: { show: true, onZero: false },
    axisLabel: { fontFamily: FONT, formatter: (value: number) => value.toFixed(decimals) },
  };
}

function marker(name: string, color: string, data: [number, number][]) {
  return {
    type: 'scatter' as const,
    data,
    symbolSize: 14,
    itemStyle: { color, borderColor: 'black', opacity: 1 },
    label: { show: true, formatter: name, position: 'right' as const, fontFamily: FONT, fontSize: 14 },
  };
}
