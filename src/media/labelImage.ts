/** Label images: one class index of 8 bits per pixel. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { FrameSourceError } from './frame';

/** Class index that counts nowhere (the convention of Cityscapes and Pascal VOC). */
export const UNLABELLED = 255;

/** Class per pixel, uint8 [height, width]; UNLABELLED where nobody said. */
export interface LabelImage {
  readonly width: number;
  readonly height: number;
  readonly labels: Uint8Array;
}

/** Where a PNG's header has its bits per channel and its colour type (PNG specification, 11.2.2 IHDR). */
const [BITS_AT, COLOUR_TYPE_AT] = [24, 25];
const [GREY, PALETTE] = [0, 3];

/**
 * Reads an 8-bit grey PNG whose levels are class indices.
 *
 * @throws FrameSourceError naming the file; pictures of a palette too, whose indices a decoder does not give out, and of fewer bits, which it
 *   spreads to 0..255
 */
export async function readLabelImage(path: string): Promise<LabelImage> {
  try {
    const bytes = await readFile(path);
    const picture = sharp(bytes);
    const { format } = await picture.metadata();
    if (format !== 'png') throw new Error(`it is a ${format}`);
    const [bits, colourType] = [bytes[BITS_AT], bytes[COLOUR_TYPE_AT]];
    if (colourType === PALETTE) throw new Error('its colours are of a palette; write the indices as grey levels');
    if (colourType !== GREY || bits !== 8) throw new Error(`it has ${bits} bits of colour type ${colourType}`);
    const { data, info } = await picture
      .toColourspace('b-w')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, labels: new Uint8Array(data) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FrameSourceError(path, `not a label image, an 8-bit grey PNG of class indices (${reason})`);
  }
}
