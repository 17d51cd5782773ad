/** Rectified pairs of a known scene, a near box before a far wall, as recordings on disk. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { writeDepth } from './layouts';

/** Columns [left, right) of the box in the left image. */
const BOX = { left: 40, right: 60 };
/** Focal length times baseline is 8: the wall at 2 m has a disparity of 4 pixels, the box at 1 m one of 8. */
export const PAIR = { width: 96, height: 64, fx: 80, cx: 47.5, cy: 31.5, baseline: 0.1, wall: 2, box: 1 };

export function depthAt(u: number): number {
  return u >= BOX.left && u < BOX.right ? PAIR.box : PAIR.wall;
}

/** A texture that tells columns, rows and frames apart. */
function texture(u: number, v: number, c: number, frame: number): number {
  return Math.round(128 + 70 * Math.sin(0.5 * u + 0.9 * c + 1.7 * frame) + 50 * Math.sin(0.37 * v + 0.21 * u));
}

/** rgb8 of the right camera whose disparities are smaller by `doffs`: nearer surfaces hide farther ones. */
function rightLevel(u: number, v: number, c: number, frame: number, doffs: number): number {
  const near = u + 8 - doffs;
  return texture(depthAt(near) === PAIR.box ? near : u + 4 - doffs, v, c, frame);
}

async function writeRgb(path: string, level: (u: number, v: number, c: number) => number): Promise<void> {
  const { width, height } = PAIR;
  const raw = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return level(pixel % width, Math.floor(pixel / width), i % 3);
  });
  await sharp(raw, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toFile(path);
}

/** A folder of pictures with depth (every fourth column, as sparse as LiDAR) and right images. */
export async function makeStereoDepthFolder(root: string, frames: number): Promise<string> {
  const folder = join(root, 'stereo_depth');
  for (const part of ['image_left', 'image_right', 'depth']) mkdirSync(join(folder, part), { recursive: true });
  const { width, height, fx, cx, cy, baseline } = PAIR;
  const camera = { image_width: width, image_height: height, fx, fy: fx, cx, cy, fps: 10, depth_scale_per_m: 1000 };
  const lines = Object.entries({ ...camera, stereo_baseline_m: baseline }).map(([key, value]) => `${key}: ${value}`);
  writeFileSync(join(folder, 'calib.yaml'), lines.join('\n'));
  for (let i = 0; i < frames; i++) {
    await writeRgb(join(folder, 'image_left', `${i}.png`), (u, v, c) => texture(u, v, c, i));
    await writeRgb(join(folder, 'image_right', `${i}.png`), (u, v, c) => rightLevel(u, v, c, i, 0));
    await writeDepth(join(folder, 'depth', `${i}.png`), width, height, (u) => (u % 4 === 0 ? 1000 * depthAt(u) : 0));
  }
  return folder;
}

export const DOFFS = 3;

/** A scene in Middlebury 2014's official layout. The disparity of the first row is unknown. */
export async function makeMiddlebury(root: string, name: string, disparityFile = 'disp0.pfm'): Promise<string> {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  const { width, height, fx, cx, cy, baseline } = PAIR;
  await writeRgb(join(folder, 'im0.png'), (u, v, c) => texture(u, v, c, 0));
  await writeRgb(join(folder, 'im1.png'), (u, v, c) => rightLevel(u, v, c, 0, DOFFS));
  const lines = [
    `cam0=[${fx} 0 ${cx}; 0 ${fx} ${cy}; 0 0 1]`,
    `cam1=[${fx} 0 ${cx + DOFFS}; 0 ${fx} ${cy}; 0 0 1]`,
    `doffs=${DOFFS}`,
    `baseline=${1000 * baseline}`,
    `width=${width}`,
    `height=${height}`,
    'ndisp=16',
    'isint=0',
  ];
  writeFileSync(join(folder, 'calib.txt'), lines.join('\n') + '\n');
  const disparities = Float32Array.from({ length: width * height }, (_, i) => {
    const fromBelow = Math.floor(i / width);
    return fromBelow === height - 1 ? Infinity : (fx * baseline) / depthAt(i % width) - DOFFS;
  });
  const header = Buffer.from(`Pf\n${width} ${height}\n-1\n`);
  writeFileSync(join(folder, disparityFile), Buffer.concat([header, new Uint8Array(disparities.buffer)]));
  return folder;
}
