/** Maps of numbers as pixels. */
import { BEYOND, mix, NO_VALUE } from './colourMaps.js';

/** Nearest and farthest depth without the extreme 2 % on either side, as src/media/pictures.ts; from every fifth value. */
export function depthRange(depth) {
  const finite = [];
  for (let i = 0; i < depth.length; i += 5) if (depth[i] > 0 && depth[i] < Infinity) finite.push(depth[i]);
  if (finite.length === 0) return undefined;
  finite.sort((a, b) => a - b);
  const at = (share) => finite[Math.round(share * (finite.length - 1))];
  return { near: at(0.02), far: Math.max(at(0.98), at(0.02) * 1.01) };
}

/** A range that follows the frames slowly: with one of its own for each, the colours would flicker. */
export class SteadyRange {
  near = NaN;
  far = NaN;

  follow(depth) {
    const range = depthRange(depth);
    if (!range) return this;
    const weight = Number.isNaN(this.near) ? 1 : 0.1;
    this.near = (this.near || 0) + weight * (range.near - (this.near || 0));
    this.far = (this.far || 0) + weight * (range.far - (this.far || 0));
    return this;
  }
}

/** By log-disparity: near is the map's end, far its beginning; +Inf black, NaN grey. */
export function paintDepth(depth, { near, far }, colours, pixels) {
  const top = Math.log(far);
  const factor = 255 / (top - Math.log(near));
  for (let i = 0; i < depth.length; i++) {
    const z = depth[i];
    if (z !== z) pixels[i] = NO_VALUE;
    else if (z === Infinity) pixels[i] = BEYOND;
    else pixels[i] = colours[z > 0 ? Math.min(255, Math.max(0, Math.round((top - Math.log(z)) * factor))) : 255];
  }
}

/** Hue is the direction in which the scene comes nearer, brightness the square root of how steeply; as src/media/pictures.ts. */
export function paintGradient(gradient, pixels, full = 0.1) {
  for (let i = 0; i < pixels.length; i++) {
    const du = gradient[2 * i];
    const dv = gradient[2 * i + 1];
    const size = Math.hypot(du, dv);
    if (size !== size) {
      pixels[i] = NO_VALUE;
      continue;
    }
    const brightness = 255 * Math.sqrt(Math.min(1, size / full));
    const hue = ((Math.atan2(dv, du) / (2 * Math.PI) + 1) % 1) * 6;
    const wave = (shift) => brightness * Math.min(1, Math.max(0, Math.abs(((hue + shift) % 6) - 3) - 1));
    pixels[i] = mix(Math.round(wave(0)), Math.round(wave(4)), Math.round(wave(2)));
  }
}

/** @param {Uint8Array} levels @param {Uint32Array} colours */
export function paintLevels(levels, colours, pixels) {
  for (let i = 0; i < levels.length; i++) pixels[i] = colours[levels[i]];
}

/** A canvas of a map's own size to paint pixels on, and to draw from in any shape. */
export class PixelCanvas {
  canvas = document.createElement('canvas');
  #image;

  /** @param {(pixels: Uint32Array) => void} paint */
  paint(width, height, paint) {
    const { canvas } = this;
    if (canvas.width !== width || canvas.height !== height || !this.#image) {
      canvas.width = width;
      canvas.height = height;
      this.#image = new ImageData(width, height);
    }
    paint(new Uint32Array(this.#image.data.buffer));
    canvas.getContext('2d').putImageData(this.#image, 0, 0);
    return canvas;
  }
}
