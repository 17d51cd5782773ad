/** Pictures for people: maps of the network turned into colours, all as rgb8 [height, width, 3]. */

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Matplotlib's magma (Smith and van der Walt, CC0) at 17 even steps; linear between them it is off by at most 2.5 of 255 levels.
 * Perceptually even, from black to pale yellow.
 */
const MAGMA = [
  0x000004, 0x0a0822, 0x1d1147, 0x36106b, 0x51127c, 0x6a1c81, 0x832681, 0x9c2e7f, 0xb73779, 0xd0416f, 0xe75263,
  0xf56b5c, 0xfc8961, 0xfea772, 0xfec488, 0xfde2a3, 0xfcfdbf,
] as const;

/** What has no depth (NaN) is drawn in this grey, which magma does not hold. */
const NO_VALUE = [96, 96, 96] as const;

const magmaTable = ((): Uint8Array => {
  const table = new Uint8Array(256 * 3);
  for (let level = 0; level < 256; level++) {
    const at = (level / 255) * (MAGMA.length - 1);
    const low = Math.min(Math.floor(at), MAGMA.length - 2);
    for (let c = 0; c < 3; c++) {
      const shift = 16 - 8 * c;
      const from = (MAGMA[low] >> shift) & 255;
      const to = (MAGMA[low + 1] >> shift) & 255;
      table[3 * level + c] = Math.round(from + (at - low) * (to - from));
    }
  }
  return table;
})();

/** Magma's colour of a share 0..1 (clipped); grey for NaN. */
export function magma(share: number): readonly [number, number, number] {
  if (Number.isNaN(share)) return NO_VALUE;
  const at = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
  return [magmaTable[at], magmaTable[at + 1], magmaTable[at + 2]];
}

function checkSize(what: string, length: number, height: number, width: number, channels: number): void {
  if (length !== height * width * channels) {
    throw new RangeError(`${what} has ${length} values, not ${height}x${width}x${channels}`);
  }
}

/** Nearest and farthest depth to spread the colours over. */
export interface DepthRange {
  near: number;
  far: number;
}

/**
 * Range of a depth map without its extreme 2 % on either side, for depth of unknown scale. A video wants one range for all its
 * frames, or it flickers: take it from the first frames.
 */
export function depthRange(depth: Float32Array): DepthRange {
  const finite = depth.filter((z) => Number.isFinite(z) && z > 0).sort();
  if (finite.length === 0) return { near: 1, far: 100 };
  const at = (share: number) => finite[Math.round(share * (finite.length - 1))];
  const near = at(0.02);
  return { near, far: Math.max(at(0.98), near * 1.01) };
}

/** Depth by its log-disparity in magma: near is bright, far is dark, +Inf black, NaN grey. */
export function depthPicture(depth: Float32Array, height: number, width: number, range = depthRange(depth)): Picture {
  checkSize('depth', depth.length, height, width, 1);
  const far = Math.log(range.far);
  const spread = far - Math.log(range.near);
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < depth.length; i++) data.set(magma((far - Math.log(depth[i])) / spread), 3 * i);
  return { width, height, data };
}

/**
 * The gradient of log-disparity: hue is the direction in which the scene comes nearer (red right, then clockwise on the picture:
 * down is yellow-green, left is cyan, up is violet), brightness its size.
 * @param gradient [height, width, 2] (du, dv)
 * @param full size that gets full brightness, per pixel
 */
export function gradientPicture(gradient: Float32Array, height: number, width: number, full = 0.1): Picture {
  checkSize('gradient', gradient.length, height, width, 2);
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < height * width; i++) {
    const du = gradient[2 * i];
    const dv = gradient[2 * i + 1];
    const size = Math.hypot(du, dv);
    if (Number.isNaN(size)) {
      data.set(NO_VALUE, 3 * i);
      continue;
    }
    // The square root keeps the gentle slope of a road visible beside the edges of cars.
    const brightness = 255 * Math.sqrt(Math.min(1, size / full));
    const hue = (Math.atan2(dv, du) / (2 * Math.PI) + 1) % 1;
    for (let c = 0; c < 3; c++) {
      const wave = Math.abs(((hue * 6 + [0, 4, 2][c]) % 6) - 3) - 1;
      data[3 * i + c] = Math.round(brightness * Math.min(1, Math.max(0, wave)));
    }
  }
  return { width, height, data };
}

/** Confidence 0..1 in grey: white is sure. */
export function confidencePicture(confidence: Float32Array, height: number, width: number): Picture {
  checkSize('confidence', confidence.length, height, width, 1);
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < confidence.length; i++) {
    const level = Math.round(255 * Math.min(1, Math.max(0, confidence[i] || 0)));
    data.fill(level, 3 * i, 3 * i + 3);
  }
  return { width, height, data };
}
