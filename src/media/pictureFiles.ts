/** Pictures on disk: contact sheets, animated WebP, the path of a drive from above. */
import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import type { Picture } from './pictures';

const GAP = 4;

function fromPicture({ data, width, height }: Picture): sharp.Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/**
 * Writes a grid of pictures, every one resized to one cell, as PNG (or what the path's ending says).
 * @param rows pictures from top to bottom; a short row leaves its end black
 */
export async function writeContactSheet(
  path: string,
  rows: readonly (readonly Picture[])[],
  cellWidth: number,
  cellHeight: number,
): Promise<void> {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  if (columns === 0) throw new RangeError(`${path}: a contact sheet of no pictures`);
  const cells = await Promise.all(
    rows.flatMap((row, r) =>
      row.map(async (picture, c) => ({
        input: await fromPicture(picture).resize(cellWidth, cellHeight, { fit: 'fill' }).raw().toBuffer(),
        raw: { width: cellWidth, height: cellHeight, channels: 3 as const },
        left: c * (cellWidth + GAP),
        top: r * (cellHeight + GAP),
      })),
    ),
  );
  const width = columns * (cellWidth + GAP) - GAP;
  const height = rows.length * (cellHeight + GAP) - GAP;
  await sharp({ create: { width, height, channels: 3, background: 'black' } })
    .composite(cells)
    .toFile(path);
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

/**
 * Draws a path seen from above: x to the right, z (ahead at the start) upwards, in equal scale, with a dot at the start.
 * @param positions camera positions [x, z] in any one unit
 */
export async function writeTrajectory(
  path: string,
  positions: readonly (readonly [x: number, z: number])[],
  size = 640,
): Promise<void> {
  const finite = positions.filter((position) => position.every(Number.isFinite));
  const points = finite.length > 0 ? finite : [[0, 0] as const];
  const bounds = (axis: 0 | 1) => {
    const values = points.map((point) => point[axis]);
    return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  };
  const [left, right] = bounds(0);
  const [near, far] = bounds(1);
  const margin = 30;
  const scale = (size - 2 * margin) / Math.max(right - left, far - near, 1e-9);
  const place = ([x, z]: readonly [number, number]) => [
    (size - (right - left) * scale) / 2 + (x - left) * scale,
    (size + (far - near) * scale) / 2 - (z - near) * scale,
  ];
  const line = points
    .map((point) =>
      place(point)
        .map((value) => value.toFixed(1))
        .join(','),
    )
    .join(' ');
  const [startX, startY] = place(points[0]);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}">
    <rect width="100%" height="100%" fill="white"/>
    <polyline points="${line}" fill="none" stroke="#832681" stroke-width="3" stroke-linejoin="round"/>
    <circle cx="${startX}" cy="${startY}" r="7" fill="#fc8961" stroke="black"/>
  </svg>`;
  await writeFile(path, await sharp(Buffer.from(svg)).png().toBuffer());
}
