/** Pictures on disk: contact sheets, animated WebP. */
import sharp from 'sharp';
import { FONT, provideFonts } from './fonts';
import type { Picture } from './pictures';

const GAP = 4;
const TITLE_HEIGHT = 28;

function fromPicture({ data, width, height }: Picture): sharp.Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/**
 * Writes a grid of pictures, every one resized to one cell, as PNG (or what the path's ending says).
 * @param rows pictures from top to bottom; a short row leaves its end black
 * @param titles of the columns, above them; none: no room is left for them
 */
export async function writeContactSheet(
  path: string,
  rows: readonly (readonly Picture[])[],
  cellWidth: number,
  cellHeight: number,
  titles: readonly string[] = [],
): Promise<void> {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  if (columns === 0) throw new RangeError(`${path}: a contact sheet of no pictures`);
  const top = titles.length > 0 ? TITLE_HEIGHT : 0;
  const cells = await Promise.all(
    rows.flatMap((row, r) =>
      row.map(async (picture, c) => ({
        input: await fromPicture(picture).resize(cellWidth, cellHeight, { fit: 'fill' }).raw().toBuffer(),
        raw: { width: cellWidth, height: cellHeight, channels: 3 as const },
        left: c * (cellWidth + GAP),
        top: top + r * (cellHeight + GAP),
      })),
    ),
  );
  const width = columns * (cellWidth + GAP) - GAP;
  const height = top + rows.length * (cellHeight + GAP) - GAP;
  const heads = titles.map((title, c) => ({ input: titleSvg(title, cellWidth), left: c * (cellWidth + GAP), top: 0 }));
  if (heads.length > 0) provideFonts();
  await sharp({ create: { width, height, channels: 3, background: 'black' } })
    .composite([...cells, ...heads])
    .toFile(path);
}

function titleSvg(title: string, width: number): Buffer {
  const text = `<text x="4" y="20" font-family="${FONT}" font-size="16" fill="white">${title}</text>`;
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${TITLE_HEIGHT}">${text}</svg>`);
}

export interface AnimationOptions {
  width: number;
  height: number;
  /** Of the frames that are added. */
  framesPerSecond: number;
  /** At most this many frames are kept: then every second one goes, and from there on only every second one is taken. */
  maxFrames?: number;
}

/**
 * An animated WebP, frame by frame. Memory stays bounded however long the drive: it is thinned out, at the same speed.
 *
 * @example
 * const animation = new AnimatedWebp('depth.webp', { width: 416, height: 128, framesPerSecond: 25 });
 * for await (const depth of depths) await animation.add(depthPicture(depth, 128, 416));
 * await animation.finish();
 */
export class AnimatedWebp {
  #frames: Buffer[] = [];
  #taken = 0;
  /** Of the frames that are added, each how-many-th is kept. */
  #thinning = 1;

  constructor(
    private readonly path: string,
    private readonly options: AnimationOptions,
  ) {}

  async add(picture: Picture): Promise<void> {
    const { width, height, maxFrames = 250 } = this.options;
    if (this.#taken++ % this.#thinning !== 0) return;
    this.#frames.push(await fromPicture(picture).resize(width, height, { fit: 'fill' }).raw().toBuffer());
    if (this.#frames.length < maxFrames) return;
    this.#frames = this.#frames.filter((_, index) => index % 2 === 0);
    this.#thinning *= 2;
  }

  /** Writes the file. @throws Error when no frame was added */
  async finish(): Promise<void> {
    const { width, height, framesPerSecond } = this.options;
    const count = this.#frames.length;
    if (count === 0) throw new Error(`${this.path}: no frame to write`);
    // Without the frame's height in `raw`, or with one frame, sharp would write one tall still picture.
    const raw = { width, height: height * count, channels: 3 as const, pageHeight: height };
    const delay = Array.from({ length: count }, () => Math.round((1000 * this.#thinning) / framesPerSecond));
    await sharp(Buffer.concat(this.#frames), { raw, limitInputPixels: false })
      .webp({ quality: 75, effort: 2, delay, loop: 0 })
      .toFile(this.path);
    this.#frames = [];
  }
}
