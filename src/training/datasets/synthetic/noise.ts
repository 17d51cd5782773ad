/** Tileable noise textures with mip levels: the raw material of every surface of the synthetic world. */
import { Random } from '../../random';

const SIZE = 256;
const LEVELS = 8;

/** A 256 x 256 tile of values with mean 0.5, and its successive 2 x 2 averages. */
export class NoiseTexture {
  readonly #levels: Float32Array[] = [];

  /** @param octaves amplitude of each octave; octave k has 2^(k + 2) lattice cells across the tile */
  constructor(seed: number, octaves: readonly number[], contrast: number) {
    const random = new Random(seed);
    const sum = new Float32Array(SIZE * SIZE);
    octaves.forEach((amplitude, k) => {
      if (amplitude === 0) return;
      const cells = Math.min(SIZE, 4 << k);
      const lattice = Float32Array.from({ length: cells * cells }, () => random.uniform() - 0.5);
      for (let y = 0; y < SIZE; y++) {
        const fy = (y * cells) / SIZE;
        const y0 = Math.floor(fy);
        const b = smooth(fy - y0);
        for (let x = 0; x < SIZE; x++) {
          const fx = (x * cells) / SIZE;
          const x0 = Math.floor(fx);
          const a = smooth(fx - x0);
          const row0 = y0 * cells;
          const row1 = ((y0 + 1) % cells) * cells;
          const x1 = (x0 + 1) % cells;
          const top = lattice[row0 + x0] * (1 - a) + lattice[row0 + x1] * a;
          const bottom = lattice[row1 + x0] * (1 - a) + lattice[row1 + x1] * a;
          sum[y * SIZE + x] += amplitude * (top * (1 - b) + bottom * b);
        }
      }
    });
    const deviation = Math.sqrt(sum.reduce((total, value) => total + value * value, 0) / sum.length);
    this.#levels.push(sum.map((value) => Math.min(1, Math.max(0, 0.5 + (contrast * value) / deviation))));
    for (let level = 1; level < LEVELS; level++) {
      const from = this.#levels[level - 1];
      const size = SIZE >> level;
      const to = new Float32Array(size * size);
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < size; x++) {
          const i = 2 * y * 2 * size + 2 * x;
          to[y * size + x] = (from[i] + from[i + 1] + from[i + 2 * size] + from[i + 2 * size + 1]) / 4;
        }
      }
      this.#levels.push(to);
    }
  }

  /** Value of the texel at (x, y), in texels of level 0; no filtering. */
  texel(x: number, y: number): number {
    return this.#levels[0][((Math.floor(y) & 255) << 8) | (Math.floor(x) & 255)];
  }

  /** Bilinear value at (x, y) in texels of level 0. @param footprint texels that one image sample covers */
  at(x: number, y: number, footprint: number): number {
    let level = footprint > 1 ? 31 - Math.clz32(footprint * 1.4) : 0;
    if (level > LEVELS - 1) level = LEVELS - 1;
    const shift = 8 - level;
    const mask = (1 << shift) - 1;
    const scale = 1 / (1 << level);
    const fx = (x + 0.5) * scale - 0.5;
    const fy = (y + 0.5) * scale - 0.5;
    const x0 = Math.floor(fx);
    const y0 = Math.floor(fy);
    const a = fx - x0;
    const b = fy - y0;
    const texels = this.#levels[level];
    const row0 = (y0 & mask) << shift;
    const row1 = ((y0 + 1) & mask) << shift;
    const c0 = x0 & mask;
    const c1 = (x0 + 1) & mask;
    const top = texels[row0 | c0] + a * (texels[row0 | c1] - texels[row0 | c0]);
    const bottom = texels[row1 | c0] + a * (texels[row1 | c1] - texels[row1 | c0]);
    return top + b * (bottom - top);
  }
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

/** Clouds, terrain, stains: 1/f. */
export const fractal = new NoiseTexture(11, [1, 0.6, 0.4, 0.26, 0.17, 0.11, 0.07], 0.2);
/** Asphalt, gravel, bark: little below 8 texels. */
export const grain = new NoiseTexture(12, [0.1, 0.1, 0.15, 0.3, 0.6, 1, 1], 0.24);
/** Leaves: clumps of 8-32 texels with hard contrast. */
export const leaves = new NoiseTexture(13, [0.2, 0.35, 0.7, 1, 0.9, 0.8, 0.5], 0.27);
