/** What adaptation_node is at, and what its last model did to the picture. */
import { PixelCanvas, depthRange, paintDepth } from './maps.js';
import { fromHalves } from './halfFloat.js';

const SHORT = { minimumFractionDigits: 4, maximumFractionDigits: 4 };

function entry(name, value) {
  const div = document.createElement('div');
  const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
  dt.textContent = name;
  dd.textContent = value;
  div.append(dt, dd);
  return div;
}

/** @param {any} status AdaptationStatus, its state by name @param {string} name of the node */
export function showLearner(status, name) {
  document.querySelector('#adaptation .waiting').textContent = status
    ? ''
    : `no ${name} has been heard; it is optional: adaptation:=true at the launch, --adapt for the demo`;
  document.querySelector('#adaptation .note').textContent = status
    ? `${status.state}${status.reason ? `: ${status.reason}` : ''}${status.stale ? ' (silent)' : ''}`
    : '';
  const list = document.querySelector('#learner');
  const errors = document.querySelector('#errors');
  errors.hidden = !status;
  if (!status) return list.replaceChildren();
  const kept = `${(status.buffer_bytes / 2 ** 20).toFixed(0)} of ${(status.buffer_limit_bytes / 2 ** 20).toFixed(0)} MiB`;
  list.replaceChildren(
    entry('step', `${status.step}`),
    entry('step takes', `${status.step_ms.toFixed(0)} ms`),
    entry('promoted', `${status.promoted}`),
    entry('rolled back', `${status.rolled_back}`),
    entry('refused', `${status.refused}`),
    entry('taken by depth_node', `${status.updates_accepted}`),
    entry('replay buffer', kept),
  );
  errors.querySelector('tbody').replaceChildren(...['place', 'source'].map((of) => errorRow(status, of)));
}

/** NaN, which JSON has as null, before the first judgement. */
function errorRow(status, of) {
  const [reference, published, candidate] = ['reference', 'published', 'candidate'].map(
    (which) => status[`${of}_error_${which}`],
  );
  const row = document.createElement('tr');
  const cell = (text) => {
    const td = document.createElement('td');
    td.textContent = text;
    row.append(td);
    return td;
  };
  const number = (value) => cell(value === null ? '–' : value.toLocaleString('en', SHORT));
  cell(of === 'place' ? 'this place' : 'source drives');
  number(reference);
  number(published);
  const known = reference !== null && published !== null && reference > 0;
  const change = known ? (100 * (published - reference)) / reference : 0;
  const shown = cell(known ? `${change > 0 ? '+' : ''}${change.toFixed(1)} %` : '–');
  if (known) shown.className = change <= 0 ? 'better' : 'worse';
  number(candidate);
  return row;
}

/** Both sides in the colours of one range, or they could not be compared. */
export class ComparisonPanel {
  #element = document.querySelector('#comparison');
  #sides = [];
  #frame;

  /** @param {import('./connection.js').Frame} frame */
  async show(frame, colours) {
    this.#frame = frame;
    const { before, after } = frame.header;
    const sides = [
      ['before', before],
      ['after', after],
    ].filter(([, side]) => side);
    this.#sides = await Promise.all(sides.map(([name, side]) => read(frame, name, side)));
    this.paint(colours);
  }

  paint(colours) {
    if (!this.#frame || this.#sides.length === 0) return;
    const range = depthRange(this.#sides[0].depth);
    const seconds = this.#sides.length === 2 ? this.#sides[1].seconds - this.#sides[0].seconds : 0;
    this.#element.replaceChildren(
      ...this.#sides.map((side, i) =>
        figure(side, i === 1 ? `, a frame ${seconds.toFixed(1)} s later` : '', range, colours),
      ),
    );
  }
}

async function read({ buffer, offset }, name, { model, camera, depth }) {
  const bytes = camera && new Uint8Array(buffer, offset + camera.offset, camera.length);
  return {
    name,
    model,
    picture: bytes && (await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }))),
    camera,
    width: depth.width,
    height: depth.height,
    depth: fromHalves(new Uint16Array(buffer, offset + depth.offset, depth.length / 2)),
    seconds: depth.stamp.sec + depth.stamp.nanosec * 1e-9,
  };
}

function figure({ name, model, picture, camera, width, height, depth }, when, range, colours) {
  const element = document.createElement('figure');
  const caption = document.createElement('figcaption');
  caption.textContent = `${name}: ${model}${when}`;
  caption.title = caption.textContent;
  const pair = document.createElement('div');
  pair.className = 'pair';
  const map = new PixelCanvas().paint(width, height, (pixels) => {
    paintDepth(depth, range ?? { near: 1, far: 100 }, colours, pixels);
  });
  const aspect = camera ? camera.width / camera.rows : width / height;
  if (picture) pair.append(shaped(picture, picture.width, (picture.height * camera.rows) / camera.height, aspect));
  pair.append(shaped(map, width, height, aspect));
  element.append(caption, pair);
  return element;
}

/** The upper rows of a picture in the shape the camera saw. */
function shaped(picture, width, height, aspect) {
  const canvas = document.createElement('canvas');
  canvas.width = 400;
  canvas.height = Math.round(400 / aspect);
  canvas.getContext('2d').drawImage(picture, 0, 0, width, height, 0, 0, canvas.width, canvas.height);
  return canvas;
}
