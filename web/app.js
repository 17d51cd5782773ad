/** The page: frames to panels, numbers to their places, and what the user asks for. */
import { ComparisonPanel, showLearner } from './adaptation.js';
import { Cloud } from './cloud.js';
import { COLOUR_MAPS } from './colourMaps.js';
import { Connection } from './connection.js';
import { Figures, isMetric, partOf } from './figures.js';
import { fromHalves } from './halfFloat.js';
import { PixelCanvas, SteadyRange, paintDepth, paintGradient, paintLevels } from './maps.js';
import { drawPath } from './plots.js';
import { takeScreenshot } from './screenshot.js';

/** A view that had no new frame for so long says so. */
const SILENT_MS = 3000;

const panels = Object.fromEntries(
  [...document.querySelectorAll('.panel')].map((element) => [
    element.id,
    {
      element,
      views: (element.dataset.views ?? '').split(' ').filter(Boolean),
      canvas: element.querySelector('.stage canvas'),
      note: element.querySelector('.note'),
      waiting: element.querySelector('.waiting'),
      isVisible: false,
    },
  ]),
);
/** Latest of every view, decoded. */
const latest = {};
const mapCanvases = { depth: new PixelCanvas(), gradient: new PixelCanvas(), confidence: new PixelCanvas() };
const range = new SteadyRange();
const comparison = new ComparisonPanel();
const figures = new Figures(panels.performance);
const select = document.querySelector('#colours');
let cloud;
let state = {};
let isPaused = false;
let frames = 0;

for (const name of Object.keys(COLOUR_MAPS)) select.add(new Option(name));
select.value = localStorage.getItem('colours') ?? 'magma';
if (!select.value) select.value = 'magma';
const colours = () => COLOUR_MAPS[select.value];
try {
  cloud = new Cloud(panels.cloud.canvas);
} catch (error) {
  panels.cloud.waiting.textContent = `no 3D here: ${error.message}`;
}

/** Frames that came and are not drawn yet; at most one of a view, since the next one is sent when this one is drawn. */
const arrived = new Map();
let isDrawing = false;
const connection = new Connection({
  onFrame: (frame) => {
    arrived.set(frame.header.view, frame);
    if (!isDrawing) requestAnimationFrame(drawArrived);
  },
  onState: (next) => {
    state = next;
    if (!isPaused) showNumbers();
  },
  onLink: (link) => {
    const element = document.querySelector('#connection');
    element.dataset.state = link;
    element.textContent = link === 'live' ? 'live' : 'connection lost, trying again';
    look();
  },
});

/** The camera first: the maps of the same instant take its shape and its colours. */
async function drawArrived() {
  if (isDrawing) return;
  isDrawing = true;
  for (const view of ['camera', 'depth', 'gradient', 'confidence', 'trajectory', 'comparison']) {
    const frame = arrived.get(view);
    if (!frame) continue;
    arrived.delete(view);
    if (!isPaused) {
      try {
        await draw[view](frame);
        latest[view].arrivedMs = performance.now();
        if (panels[view]?.waiting.textContent) showWaiting(); // not behind the words until the next numbers come
        frames++;
      } catch (error) {
        console.error(view, error);
      }
    }
    connection.drawn(frame.header);
  }
  isDrawing = false;
  if (arrived.size > 0) requestAnimationFrame(drawArrived);
}

const draw = {
  async camera({ header, buffer, offset }) {
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(buffer, offset)], { type: 'image/jpeg' }));
    latest.camera?.bitmap.close();
    latest.camera = { header, bitmap };
    paintCamera();
  },
  depth({ header, buffer, offset }) {
    latest.depth = { header, values: fromHalves(new Uint16Array(buffer, offset)) };
    range.follow(latest.depth.values);
    paintDepthPanel();
    paintCloud();
  },
  gradient({ header, buffer, offset }) {
    latest.gradient = { header, values: fromHalves(new Uint16Array(buffer, offset)) };
    paintMap('gradient', (pixels) => paintGradient(latest.gradient.values, pixels));
  },
  confidence({ header, buffer, offset }) {
    latest.confidence = { header, values: new Uint8Array(buffer, offset) };
    paintConfidence();
  },
  trajectory({ header, buffer, offset }) {
    latest.trajectory = { header, points: new Float32Array(buffer, offset) };
    paintPath();
  },
  async comparison(frame) {
    latest.comparison = { header: frame.header };
    await comparison.show(frame, colours());
  },
};

function paintCamera() {
  const { canvas } = panels.camera;
  const { bitmap, header } = latest.camera;
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext('2d');
  context.drawImage(bitmap, 0, 0);
  // What the network does not see, such as the own hood.
  const seen = Math.round((bitmap.height * header.rows) / header.height);
  context.fillStyle = 'rgb(5 8 11 / 60%)';
  context.fillRect(0, seen, bitmap.width, bitmap.height - seen);
}

/** A map in the shape of what the camera saw: networks have a shape of their own. */
function paintMap(view, paint) {
  const { width, height } = latest[view].header;
  const pixels = mapCanvases[view].paint(width, height, paint);
  const { canvas } = panels[view];
  const camera = latest.camera?.header;
  const aspect = camera ? camera.width / camera.rows : width / height;
  canvas.width = 640;
  canvas.height = Math.round(640 / aspect);
  canvas.getContext('2d').drawImage(pixels, 0, 0, canvas.width, canvas.height);
}

function paintDepthPanel() {
  paintMap('depth', (pixels) => paintDepth(latest.depth.values, range, colours(), pixels));
  const { element } = panels.depth;
  element.querySelector('.low').textContent = `${range.far.toFixed(1)} ${depthUnit()}`;
  element.querySelector('.high').textContent = `${range.near.toFixed(1)} ${depthUnit()}`;
}

function paintConfidence() {
  paintMap('confidence', (pixels) => paintLevels(latest.confidence.values, colours(), pixels));
}

function paintPath() {
  const { points, header } = latest.trajectory;
  const unit = header.isMetric ? 'm' : 'units';
  drawPath(panels.trajectory.canvas, points, unit);
  const by = header.source === 'odometry' ? 'odometry' : 'ego-motion, chained';
  const speed = Number.isFinite(state.speed) ? `, ${state.speed.toFixed(1)} ${unit}/s` : '';
  panels.trajectory.note.textContent = `from above, ${by}: ${header.length.toFixed(1)} ${unit}${speed}`;
}

function paintCloud() {
  const { header, values } = latest.depth ?? {};
  if (!cloud || !panels.cloud.isVisible || !header) return;
  if (!header.k) {
    panels.cloud.note.textContent = 'no camera_info of the depth map has come';
    return;
  }
  const { width, height, k } = header;
  const isPhoto = document.querySelector('#cloudColour').value === 'camera' && latest.camera;
  const pixels = isPhoto && !whyNoCameraColours() ? cameraPixels(width, height) : pixelsOf(mapCanvases.depth.canvas);
  const shown = cloud.show({ depth: values, width, height, k }, (i) => pixels[i]);
  latest.cloud = shown;
  panels.cloud.note.textContent = `${shown.points.toLocaleString('en')} points; drag turns, wheel zooms`;
}

/** Where depth_node took the lens distortion out, its map's pixels are others than the camera's: it says so of its Camera. Empty where they are the same. */
function whyNoCameraColours() {
  const view = partOf(state, 'Camera')?.values.view;
  if (view === 'as it comes') return '';
  return view === 'rectified'
    ? "the depth map's colours: depth is of the rectified view, the camera's image is not"
    : `the depth map's colours, until ${state.depthNode} says which view its depth is of`;
}

const small = document.createElement('canvas');

/** The rows that the network sees, at the map's size. */
function cameraPixels(width, height) {
  const { bitmap, header } = latest.camera;
  small.width = width;
  small.height = height;
  const context = small.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, bitmap.width, (bitmap.height * header.rows) / header.height, 0, 0, width, height);
  return pixelsOf(small);
}

function pixelsOf(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return new Uint32Array(data.buffer);
}

/** Until the scale is known depth is in the model's own unit, of a car's order of magnitude but not metric. */
const depthUnit = () => (isMetric(partOf(state, 'Navigation')) ? 'm' : 'units');

function showNumbers() {
  figures.show(state);
  showLearner(state.adaptation, state.adaptationNode);
  showWaiting();
}

/** Says which topic a panel waits for, and what became of it. */
function showWaiting() {
  for (const name of ['camera', 'depth', 'gradient', 'confidence']) {
    const topic = state.topics?.[name];
    panels[name].waiting.textContent = waitingText(latest[name], topic);
    const header = latest[name]?.header;
    if (header && !panels[name].reading) panels[name].note.textContent = describe(name, header, topic);
  }
  panels.trajectory.waiting.textContent = latest.trajectory
    ? ''
    : `waiting for ${state.depthNode}/odometry or ego_motion`;
  document.querySelector('#cloudColour').title = whyNoCameraColours();
  if (cloud) panels.cloud.waiting.textContent = latest.cloud ? '' : waitingText(latest.depth, state.topics?.depth);
}

function describe(name, { width, height, encoding, units, rows }, topic) {
  const seen = rows < height ? `; the network sees ${rows} rows` : '';
  return `${topic?.topic ?? name}, ${width}x${height} ${encoding}${units ? `, ${units}` : ''}${seen}`;
}

function waitingText(shown, topic) {
  if (isPaused || !topic) return '';
  if (shown && performance.now() - shown.arrivedMs < SILENT_MS) return '';
  const why = topic.publishers === 0 ? 'nobody publishes on it' : 'nothing comes';
  return `${shown ? 'silent' : 'waiting for'} ${topic.topic}: ${why}`;
}

/** Only what can be seen is asked for. */
function look() {
  const isSeen = !isPaused && document.visibilityState === 'visible';
  const views = Object.values(panels).flatMap(({ isVisible, views }) => (isVisible ? views : []));
  connection?.want(isSeen ? [...new Set(views)].sort() : []);
}

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) panels[target.id].isVisible = isIntersecting;
  look();
});
for (const { element } of Object.values(panels)) observer.observe(element);
document.addEventListener('visibilitychange', look);

function setPaused(paused) {
  isPaused = paused;
  const button = document.querySelector('#pause');
  button.setAttribute('aria-pressed', `${paused}`);
  button.textContent = paused ? 'Go on' : 'Pause';
  const now = performance.now();
  if (!paused) for (const shown of Object.values(latest)) shown.arrivedMs = now;
  look();
}

async function saveScreenshot() {
  cloud?.draw();
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await takeScreenshot());
  link.download = `depthgrad-${new Date().toISOString().replace(/[:.]/g, '-')}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function recolour() {
  localStorage.setItem('colours', select.value);
  for (const canvas of document.querySelectorAll('.legend canvas')) {
    const strip = new ImageData(256, 1);
    new Uint32Array(strip.data.buffer).set(colours());
    canvas.getContext('2d').putImageData(strip, 0, 0);
  }
  if (latest.depth) paintDepthPanel();
  if (latest.confidence) paintConfidence();
  comparison.paint(colours());
  paintCloud();
}

document.querySelector('#pause').addEventListener('click', ({ currentTarget }) => {
  currentTarget.blur(); // or Space would press it once more
  setPaused(!isPaused);
});
document.querySelector('#screenshot').addEventListener('click', saveScreenshot);
document.querySelector('#cloudReset').addEventListener('click', () => cloud?.reset());
document.querySelector('#cloudColour').addEventListener('change', paintCloud);
select.addEventListener('change', recolour);
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.('select')) return;
  if (event.code === 'Space') {
    event.preventDefault(); // the page does not scroll
    setPaused(!isPaused);
  } else if (event.key === 's') void saveScreenshot();
});

/** The value under the pointer. */
const readings = {
  depth: (i) => `${latest.depth.values[i].toFixed(2)} ${depthUnit()}`,
  gradient: (i) => `du ${latest.gradient.values[2 * i].toFixed(4)}, dv ${latest.gradient.values[2 * i + 1].toFixed(4)}`,
  confidence: (i) => `${(latest.confidence.values[i] / 255).toFixed(2)}`,
};
for (const [view, reading] of Object.entries(readings)) {
  const { canvas, note } = panels[view];
  canvas.addEventListener('pointermove', ({ offsetX, offsetY }) => {
    if (!latest[view]) return;
    const { width, height } = latest[view].header;
    const scale = Math.min(canvas.clientWidth / canvas.width, canvas.clientHeight / canvas.height);
    const u = Math.floor(
      (width * (offsetX - (canvas.clientWidth - canvas.width * scale) / 2)) / (canvas.width * scale),
    );
    const v = Math.floor(
      (height * (offsetY - (canvas.clientHeight - canvas.height * scale) / 2)) / (canvas.height * scale),
    );
    panels[view].reading = u >= 0 && u < width && v >= 0 && v < height;
    if (panels[view].reading) note.textContent = `(${u}, ${v}): ${reading(v * width + u)}`;
  });
  canvas.addEventListener('pointerleave', () => (panels[view].reading = false));
}
addEventListener('resize', () => {
  if (latest.trajectory) paintPath();
  figures.paint();
});
recolour();

/** For the browser's console, and the tests. */
globalThis.dashboard = {
  latest,
  /** WebGL's picture is gone when it has been shown; this makes it again, for who copies it in the same breath. */
  drawCloud: () => cloud?.draw(),
  get state() {
    return state;
  },
  get frames() {
    return frames;
  },
};
