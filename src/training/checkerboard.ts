/** How much of a map repeats from pixel to pixel with period 2: the checkerboard that transposed convolutions leave. */

/** Side of the squares, in pixels of the map, in which the pattern is looked for: phase by phase an average of 16 pixels. */
const TILE = 8;

/** Weight of a pixel's neighbourhood that the pixel is compared with: 1 2 1 by 1 2 1. It has no answer to period 2, and leaves planes as they are. */
const BINOMIAL = [1, 2, 1] as const;

/** The map less its binomial mean, borders left out: [h,w] -> [h-2,w-2]. */
function highPass(map: ArrayLike<number>, height: number, width: number): Float64Array {
  const out = new Float64Array((height - 2) * (width - 2));
  for (let v = 1, o = 0; v < height - 1; v++) {
    for (let u = 1; u < width - 1; u++, o++) {
      let mean = 0;
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 3; j++) mean += BINOMIAL[i] * BINOMIAL[j] * map[(v + i - 1) * width + u + j - 1];
      out[o] = map[v * width + u] - mean / 16;
    }
  }
  return out;
}

/**
 * Root mean square of the part of a map that repeats with period 2 along either axis, phase-locked over squares of 8x8 pixels. Of a
 * log-disparity it is a relative depth: 0.01 are ripples of one per cent. A plane has none; an edge, whose pixels do not alternate, has
 * about a quarter of its high frequencies. Cf. Odena et al. 2016, "Deconvolution and Checkerboard Artifacts".
 *
 * @param map [b,h,w], at the size the network makes it: enlarging it moves the pattern to other frequencies
 * @returns undefined where no such square fits into the map, whose border pixels do not count
 */
export function checkerboard(map: Float32Array, size: number, height: number, width: number): number | undefined {
  if (height < TILE + 2 || width < TILE + 2) return undefined;
  const [rows, columns] = [height - 2, width - 2];
  let energy = 0;
  let tiles = 0;
  for (let b = 0; b < size; b++) {
    const fine = highPass(map.subarray(b * height * width, (b + 1) * height * width), height, width);
    for (let top = 0; top + TILE <= rows; top += TILE) {
      for (let left = 0; left + TILE <= columns; left += TILE, tiles++) {
        const phases = [0, 0, 0, 0];
        for (let v = top; v < top + TILE; v++)
          for (let u = left; u < left + TILE; u++) phases[2 * (v % 2) + (u % 2)] += fine[v * columns + u];
        const mean = phases.reduce((sum, x) => sum + x, 0) / 4;
        for (const sum of phases) energy += ((sum - mean) / ((TILE * TILE) / 4)) ** 2 / 4;
      }
    }
  }
  return Math.sqrt(energy / tiles);
}
