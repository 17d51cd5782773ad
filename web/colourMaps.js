/** Colour maps as tables of 256 pixels (0xaabbggrr, as ImageData has them on little-endian machines). */

/** Matplotlib's at even steps (Smith and van der Walt, CC0); magma as in src/media/pictures.ts. */
const STEPS = {
  magma: [
    0x000004, 0x0a0822, 0x1d1147, 0x36106b, 0x51127c, 0x6a1c81, 0x832681, 0x9c2e7f, 0xb73779, 0xd0416f, 0xe75263,
    0xf56b5c, 0xfc8961, 0xfea772, 0xfec488, 0xfde2a3, 0xfcfdbf,
  ],
  viridis: [0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c, 0x28ae80, 0x5ec962, 0xaddc30, 0xfde725],
  grey: [0x000000, 0xffffff],
};

/** Turbo's polynomials (Mikhailov, Google, Apache-2.0): red, green, blue; lowest power first. */
const TURBO = [
  [0.13572138, 4.6153926, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
  [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
  [0.1066733, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
];

function pixel(red, green, blue) {
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

const byte = (share) => Math.round(255 * Math.min(1, Math.max(0, share)));

function turbo(share) {
  const powers = [0, 1, 2, 3, 4, 5].map((power) => share ** power);
  const [red, green, blue] = TURBO.map((terms) => terms.reduce((sum, term, i) => sum + term * powers[i], 0));
  return pixel(byte(red), byte(green), byte(blue));
}

function between(steps, share) {
  const at = share * (steps.length - 1);
  const low = Math.min(Math.floor(at), steps.length - 2);
  const channel = (shift) => {
    const from = (steps[low] >> shift) & 255;
    const to = (steps[low + 1] >> shift) & 255;
    return Math.round(from + (at - low) * (to - from));
  };
  return pixel(channel(16), channel(8), channel(0));
}

const table = (colour) => Uint32Array.from({ length: 256 }, (_, i) => colour(i / 255));

/** @type {Record<string, Uint32Array>} */
export const COLOUR_MAPS = {
  magma: table((share) => between(STEPS.magma, share)),
  turbo: table(turbo),
  viridis: table((share) => between(STEPS.viridis, share)),
  grey: table((share) => between(STEPS.grey, share)),
};

/** What has no value (NaN), in a grey that no map but grey holds; and what is beyond the range. */
export const NO_VALUE = pixel(96, 96, 96);
export const BEYOND = pixel(0, 0, 0);

export const mix = pixel;
