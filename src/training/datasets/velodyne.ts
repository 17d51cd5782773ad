/** LiDAR scans of KITTI as depth images. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { project, type Intrinsics } from '../../geometry/camera';
import { transformPoint, type Se3 } from '../../geometry/se3';
import type { DepthImage } from '../../media/depthImage';
import { FrameSourceError } from '../../media/frame';
import type { FrameFiles } from './frameFiles';

/** x, y, z in metres and reflectance, float32 each. */
const POINT_BYTES = 16;

/** @throws FrameSourceError naming the file, when it cannot be read or ends inside a point */
async function readScan(path: string): Promise<Float32Array> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new FrameSourceError(path, `the LiDAR scan cannot be read (${error.code})`);
  });
  if (bytes.length === 0 || bytes.length % POINT_BYTES !== 0) {
    throw new FrameSourceError(path, `${bytes.length} bytes are no whole number of points of ${POINT_BYTES} bytes`);
  }
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/**
 * Depth image of the points the camera sees: each at the pixel nearest to its projection (pixel centres at integers; the development
 * kit's MATLAB code counts from 1 and draws one pixel further right and down), the nearest point where several meet.
 *
 * @param points [n, 4]: x, y, z, reflectance in the scanner's frame  @param toCamera scanner to the camera's optical frame
 */
function projectScan(points: Float32Array, toCamera: Se3, camera: Intrinsics): DepthImage {
  const { width, height } = camera;
  const depth = new Float32Array(width * height);
  for (let i = 0; i + 3 < points.length; i += 4) {
    const [x, y, z] = transformPoint(toCamera, points[i], points[i + 1], points[i + 2]);
    if (z <= 0) continue;
    const pixel = project(camera, x, y, z);
    const u = Math.round(pixel[0]);
    const v = Math.round(pixel[1]);
    if (u < 0 || u >= width || v < 0 || v >= height) continue;
    const at = v * width + u;
    if (depth[at] === 0 || z < depth[at]) depth[at] = z;
  }
  return { width, height, depth };
}

/** A scan's file as a frame's depth; undefined where a drive lacks it (2011_09_26_drive_0009 has none for four images). */
export function scanDepth(path: string, toCamera: Se3, camera: Intrinsics): FrameFiles['depth'] {
  if (!existsSync(path)) return undefined;
  return { path, read: async (file) => projectScan(await readScan(file), toCamera, camera) };
}
