/** What the nodes say of themselves on /diagnostics: in the header as it was said, as a list, and as curves. */
import { ACCENT, drawCurves, SECOND } from './plots.js';

/** Seconds of curves, once there are so many. */
const SPAN = 120;
const LEAST_SPAN = 20;
/** What scale_source names. */
const SCALE_SOURCES = { velocity: 'from speed', camera_height: 'from camera height', fixed: 'fixed' };

/** What depth_node said last of a part of itself: Inference, Model, Camera, Navigation. */
export const partOf = ({ diagnostics = [], depthName }, part) =>
  diagnostics.find(({ name }) => name === `${depthName}: ${part}`);

/** Whether depth is in metres, by what depth_node says of its Navigation. */
export const isMetric = (navigation) => Number.isFinite(Number(navigation?.values.scale_sd));

export class Figures {
  #panel;
  #history = { seconds: [], fps: [], p50: [], p95: [], droppedShare: [] };
  #counts;

  constructor(panel) {
    this.#panel = panel;
  }

  show(state) {
    const inference = partOf(state, 'Inference');
    for (const element of document.querySelectorAll('[data-number]')) {
      const { number, unit } = element.dataset;
      const value = inference?.values[number];
      element.textContent = value === undefined ? '–' : `${value} ${unit}`.trim();
      element.dataset.stale = `${inference?.stale ?? true}`;
    }
    const { model_name: name, model_version: version, execution_provider: provider } = inference?.values ?? {};
    document.querySelector('#model').textContent = name ? `${name} ${version} (${provider})` : '–';
    const scale = document.querySelector('#scale');
    const navigation = partOf(state, 'Navigation');
    scale.textContent = scaleText(navigation);
    scale.dataset.stale = `${navigation?.stale ?? true}`;
    scale.title = isMetric(navigation)
      ? ''
      : 'One moving camera does not tell metres: distances are in the model’s own units. depth_node’s parameter scale_source says where metres come from.';
    const own = `${state.depthName}: `;
    document
      .querySelector('#diagnostics')
      .replaceChildren(...(state.diagnostics ?? []).map((status) => statusItem(status, own)));
    this.#panel.waiting.textContent = inference ? '' : `waiting for "${state.depthName}: Inference" on /diagnostics`;
    if (inference) this.#remember(inference);
  }

  paint() {
    const { seconds, fps, p50, p95, droppedShare } = this.#history;
    if (seconds.length === 0) return;
    const charts = [
      { title: 'rate', unit: 'depths/s', curves: [{ name: '', colour: ACCENT, values: fps }] },
      {
        title: 'latency',
        unit: 'ms',
        curves: [
          { name: 'p50', colour: ACCENT, values: p50 },
          { name: 'p95', colour: SECOND, values: p95 },
        ],
      },
      { title: 'dropped', unit: '% of images', curves: [{ name: '', colour: SECOND, values: droppedShare }] },
    ];
    const span = Math.min(SPAN, Math.max(LEAST_SPAN, seconds.at(-1) - seconds[0]));
    drawCurves(this.#panel.canvas, charts, seconds, span);
    this.#panel.note.textContent = `last ${span.toFixed(0)} s`;
  }

  /** One point of the curves for every new diagnostics. */
  #remember({ stamp, values, stale }) {
    const history = this.#history;
    if (stale || history.seconds.at(-1) === stamp) return;
    // Time went back, as when a bag with its clock begins anew: what was is ahead of now, and no span of seconds has both.
    if (stamp < history.seconds.at(-1)) for (const values of Object.values(history)) values.length = 0;
    const counts = { arrived: Number(values.frames_in), dropped: Number(values.dropped) };
    const since = this.#counts ? counts.arrived - this.#counts.arrived : 0;
    const point = {
      seconds: stamp,
      fps: Number(values.fps),
      p50: Number(values.latency_p50_ms),
      p95: Number(values.latency_p95_ms),
      droppedShare: since > 0 ? (100 * (counts.dropped - this.#counts.dropped)) / since : 0,
    };
    this.#counts = counts;
    for (const [name, value] of Object.entries(point)) history[name].push(value);
    while (history.seconds[0] < stamp - SPAN) for (const values of Object.values(history)) values.shift();
    this.paint();
  }
}

/** Without the name of depth_node, and of others without their namespace: what is said is to fit in. @param {string} own depth_node's name and a colon */
function statusItem({ name, level, message, stale }, own) {
  const item = document.createElement('li');
  item.dataset.level = `${stale ? 3 : level}`;
  const said = `: ${stale ? 'silent; last: ' : ''}${message}`;
  item.textContent = (name.startsWith(own) ? name.slice(own.length) : name.replace(/^.*\/(?=\w+: )/, '')) + said;
  item.title = name + said;
  return item;
}

function scaleText(navigation) {
  if (!navigation) return '–';
  const { scale_source: source, scale, scale_sd: deviation } = navigation.values;
  if (!isMetric(navigation)) return 'unknown';
  return `${Number(scale).toFixed(3)} ± ${Number(deviation).toFixed(3)} m/unit, ${SCALE_SOURCES[source] ?? source}`;
}
