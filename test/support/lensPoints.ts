/** Pixels through a lens and back. */
import type { Intrinsics } from '../../src/geometry/camera';
import { Lens, sourcePixel, type DistortedCamera, type Distortion } from '../../src/geometry/lens';

export function cameraWithLens(camera: Intrinsics, { model, coefficients }: Distortion): DistortedCamera {
  return { camera, lens: new Lens(model, coefficients), rotation: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
}

/** plumb_bob: k1, k2, p1, p2, k3. */
export function plumbBob(...coefficients: number[]): Distortion {
  return { model: 'plumb_bob', coefficients };
}

/** Where the ideal pixel (u, v) of the camera's own view lands in its image. */
export function distortPoint(camera: DistortedCamera, u: number, v: number): [number, number] {
  const point = { x: 0, y: 0 };
  if (!sourcePixel(camera, camera.camera, u, v, point)) throw new RangeError(`no pixel shows (${u}, ${v})`);
  return [point.x, point.y];
}

/** Ideal pixel of the image's pixel (u, v): fixed-point iteration, as in OpenCV's undistortPoints. */
export function undistortPoint(camera: DistortedCamera, u: number, v: number): [number, number] {
  const ideal: [number, number] = [u, v];
  for (let i = 0; i < 100; i++) {
    const [x, y] = distortPoint(camera, ...ideal);
    ideal[0] += u - x;
    ideal[1] += v - y;
  }
  return ideal;
}
