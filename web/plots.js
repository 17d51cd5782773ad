/** Line drawings: the path from above, and figures over time. */

const TEXT = '#8b98a8';
const LINE = '#233040';
const FONT = '11px system-ui, "DejaVu Sans", sans-serif';
export const ACCENT = '#2dd4bf';
export const SECOND = '#f59e0b';

/** Fits the canvas to its place; returns a context in CSS pixels. */
function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = Math.min(devicePixelRatio, 2);
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);
  context.font = FONT;
  context.fillStyle = TEXT;
  context.lineJoin = 'round';
  return { context, width, height };
}

/** 1, 2 or 5 times a power of ten, the largest that is not above. */
export function roundStep(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([5, 2, 1].find((step) => step * power <= value * 1.0001) ?? 1);
}

/**
 * The path from above: ahead at the start is up, left is left.
 * @param {Float32Array} points x ahead, y left, z up
 */
export function drawPath(canvas, points, unit) {
  const { context, width, height } = prepare(canvas);
  const count = points.length / 3;
  if (count === 0 || width === 0) return;
  let [left, right, bottom, top] = [-1, 1, -1, 1];
  for (let i = 0; i < count; i++) {
    left = Math.min(left, -points[3 * i + 1]);
    right = Math.max(right, -points[3 * i + 1]);
    bottom = Math.min(bottom, points[3 * i]);
    top = Math.max(top, points[3 * i]);
  }
  const margin = 18;
  const scale = Math.min((width - 2 * margin) / (right - left), (height - 2 * margin) / (top - bottom));
  const x = (y) => width / 2 + (-y - (left + right) / 2) * scale;
  const y = (ahead) => height / 2 - (ahead - (bottom + top) / 2) * scale;

  const step = roundStep(70 / scale);
  context.strokeStyle = LINE;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = Math.ceil((0 - width) / scale / step) * step; at * scale <= width; at += step) {
    context.moveTo(x(at), 0);
    context.lineTo(x(at), height);
  }
  const above = (bottom + top) / 2 + height / 2 / scale;
  for (let at = Math.floor(above / step) * step; y(at) <= height; at -= step) {
    context.moveTo(0, y(at));
    context.lineTo(width, y(at));
  }
  context.stroke();
  context.fillText(`grid ${step.toLocaleString('en')} ${unit}`, 8, height - 7);

  context.strokeStyle = ACCENT;
  context.lineWidth = 2;
  context.beginPath();
  for (let i = 0; i < count; i++) context.lineTo(x(points[3 * i + 1]), y(points[3 * i]));
  context.stroke();
  dot(context, x(points[1]), y(points[0]), TEXT);
  dot(context, x(points[3 * count - 2]), y(points[3 * count - 3]), SECOND);
}

function dot(context, x, y, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, 4, 0, 2 * Math.PI);
  context.fill();
}

/**
 * Curves over the last seconds, one set above the other.
 * @param {{ title: string, unit: string, curves: { name: string, colour: string, values: number[] }[] }[]} charts
 * @param {number[]} seconds when each value was, the last one now
 */
export function drawCurves(canvas, charts, seconds, span) {
  const { context, width, height } = prepare(canvas);
  const [marginLeft, marginTop] = [38, 16];
  const chartHeight = height / charts.length;
  const now = seconds.at(-1) ?? 0;
  for (const [i, { title, unit, curves }] of charts.entries()) {
    const top = i * chartHeight + marginTop;
    const bottom = (i + 1) * chartHeight - 8;
    const most = Math.max(1e-6, ...curves.flatMap(({ values }) => values.filter(Number.isFinite))) * 1.1;
    const y = (value) => bottom - ((bottom - top) * value) / most;
    const step = roundStep(most);
    context.strokeStyle = LINE;
    context.fillStyle = TEXT;
    context.lineWidth = 1;
    context.textAlign = 'right';
    context.beginPath();
    for (let value = 0; value <= most; value += step) {
      context.moveTo(marginLeft, y(value));
      context.lineTo(width - 8, y(value));
      context.fillText(Number(value.toPrecision(3)).toLocaleString('en'), marginLeft - 5, y(value) + 4);
    }
    context.stroke();
    context.textAlign = 'left';
    let at = marginLeft;
    for (const { name, colour } of [{ name: `${title}, ${unit}`, colour: TEXT }, ...curves]) {
      if (!name) continue;
      context.fillStyle = colour;
      context.fillText(name, at, top - 5);
      at += context.measureText(name).width + 12;
    }
    for (const { colour, values } of curves) {
      context.strokeStyle = colour;
      context.lineWidth = 1.6;
      context.beginPath();
      for (const [j, value] of values.entries()) {
        const x = marginLeft + (width - 8 - marginLeft) * (1 - (now - seconds[j]) / span);
        if (x >= marginLeft && Number.isFinite(value)) context.lineTo(x, y(value));
      }
      context.stroke();
    }
  }
}
