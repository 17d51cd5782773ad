/** From ideal samples to a dashcam's picture: filtering, exposure, colour cast, veil, blur, noise, coarse chroma. */
import { Random } from '../../random';
import { fractal } from './noise';

/** One camera's faults, the same over a sample's frames. */
export interface CameraFaults {
  /** Mean brightness the automatic exposure aims at, and how far it goes there, 0..1. */
  aim: number;
  adaptation: number;
  contrast: number;
  gamma: number;
  cast: [number, number, number];
  saturation: number;
  vignette: number;
  veil: number;
  blur: number;
  noise: number;
  chromaBlock: number;
  seed: number;
}

export function randomFaults(random: Random): CameraFaults {
  const strange = random.chance(0.5) ? 1 : 0.3;
  return {
    aim: random.between(0.24, 0.56),
    adaptation: random.between(0.5, 1),
    contrast: 1 + random.between(-0.2, 0.45) * strange,
    gamma: Math.exp(random.between(-0.3, 0.3) * strange),
    cast: [
      1 + random.between(-0.1, 0.1) * strange,
      1 + random.between(-0.04, 0.04),
      1 + random.between(-0.12, 0.12) * strange,
    ],
    saturation: random.chance(0.08) ? 0 : random.between(0.6, 1.3),
    vignette: random.uniform() * 0.3,
    veil: random.chance(0.3) ? random.uniform() * 0.14 : 0,
    blur: random.chance(0.4) ? random.uniform() * 0.8 : 0,
    noise: random.uniform() ** 2 * 0.03,
    chromaBlock: random.chance(0.5) ? 1 : random.chance(0.7) ? 2 : 4,
    seed: random.between(0, 1000),
  };
}

/** Gain of the automatic exposure for a picture of these samples. */
export function exposureFor(samples: Float32Array, faults: CameraFaults): number {
  let sum = 0;
  let count = 0;
  for (let i = 1; i < samples.length; i += 51, count++) sum += Math.min(1.2, samples[i]);
  return (faults.aim / Math.max(0.02, sum / count)) ** faults.adaptation;
}

/**
 * @param samples rgb float32 [2h + 1, 2w + 1, 3]: pixel (u, v) is centred on sample (2v + 1, 2u + 1)
 * @returns rgb8 [h, w, 3]
 */
export function photograph(
  samples: Float32Array,
  height: number,
  width: number,
  faults: CameraFaults,
  exposure: number,
  noiseSeed: number,
): Uint8Array {
  const columns = 2 * width + 1;
  const stride = 3 * columns;
  // Saturate before averaging, as a sensor does, and filter with the tent 1/4, 1/2, 1/4 per axis.
  const image = new Float32Array(height * width * 3);
  const clipped = samples.map((value) => Math.min(1.15, Math.max(0, value * exposure)));
  const rows = new Float32Array((2 * height + 1) * width * 3);
  for (let y = 0; y < 2 * height + 1; y++) {
    for (let x = 0; x < width; x++) {
      const from = y * stride + 6 * x;
      const to = 3 * (y * width + x);
      for (let c = 0; c < 3; c++)
        rows[to + c] = 0.25 * (clipped[from + c] + clipped[from + 6 + c]) + 0.5 * clipped[from + 3 + c];
    }
  }
  const rowLength = 3 * width;
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < rowLength; i++) {
      const from = 2 * y * rowLength + i;
      image[y * rowLength + i] = 0.25 * (rows[from] + rows[from + 2 * rowLength]) + 0.5 * rows[from + rowLength];
    }
  }
  const soft = faults.blur > 0 ? blurred(image, height, width, faults.blur) : image;
  const out = new Uint8Array(height * width * 3);
  const random = new Random(noiseSeed);
  const block = faults.chromaBlock;
  const curve = Float32Array.from({ length: 1025 }, (_, i) => (i / 1024) ** faults.gamma);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = 3 * (y * width + x);
      const chroma = 3 * ((y - (y % block)) * width + x - (x % block));
      const luma = 0.299 * soft[i] + 0.587 * soft[i + 1] + 0.114 * soft[i + 2];
      const base = 0.299 * soft[chroma] + 0.587 * soft[chroma + 1] + 0.114 * soft[chroma + 2];
      const [a, b] = [x / width - 0.5, y / height - 0.5];
      const shadeOff = 1 - faults.vignette * 2 * (a * a + b * b);
      const veil = faults.veil > 0 ? faults.veil * (0.5 + fractal.at(a * 60 + faults.seed, b * 40, 1)) : 0;
      const grainy = faults.noise * (random.uniform() + random.uniform() - 1) * 1.7;
      for (let c = 0; c < 3; c++) {
        let value = luma + faults.saturation * (soft[chroma + c] - base);
        value = (value * shadeOff * faults.cast[c] - 0.45) * faults.contrast + 0.45 + veil + grainy;
        value = value < 0 ? 0 : value > 1 ? 1 : value;
        out[i + c] = 255 * curve[(1024 * value + 0.5) | 0] + 0.5;
      }
    }
  }
  return out;
}

function blurred(image: Float32Array, height: number, width: number, amount: number): Float32Array {
  const out = new Float32Array(image.length);
  const side = amount / 4;
  const row = 3 * width;
  for (let y = 0; y < height; y++) {
    const [up, down] = [y > 0 ? -row : 0, y < height - 1 ? row : 0];
    for (let x = 0; x < width; x++) {
      const [left, right] = [x > 0 ? -3 : 0, x < width - 1 ? 3 : 0];
      for (let c = 0; c < 3; c++) {
        const i = y * row + 3 * x + c;
        out[i] =
          (1 - 4 * side * 0.6) * image[i] +
          0.6 * side * (image[i + left] + image[i + right] + image[i + up] + image[i + down]);
      }
    }
  }
  return out;
}
