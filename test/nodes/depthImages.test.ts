import { DepthImages, sizeFault, type DepthImageOptions } from '../../src/nodes/depthImages';
import type { ImageMessage } from '../../src/nodes/ros/messages';

const header = { stamp: { sec: 1, nanosec: 2 }, frameId: 'front' };
const DEPTH = Float32Array.of(1.2344, NaN, Infinity, -Infinity, 65.535, 65.536, 80, 0.0004);

function imageOf(options: Partial<DepthImageOptions>, depth = DEPTH, camera = { width: 8, height: 6 }): ImageMessage {
  const all = { depthEncoding: '32FC1', depthSize: 'network', imageRows: 0, width: 4, height: 2, ...options } as const;
  return new DepthImages(all).imageOf(depth, header, camera);
}

const millimetres = ({ data }: ImageMessage): number[] => [
  ...new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2),
];
const metres = ({ data }: ImageMessage): number[] => [
  ...new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4),
];

test('16UC1 is millimetres; what is no depth or does not fit is 0 (REP 118)', () => {
  const image = imageOf({ depthEncoding: '16UC1' });
  expect(image).toMatchObject({ header, encoding: '16UC1', width: 4, height: 2, step: 8, isBigEndian: false });
  expect(millimetres(image)).toEqual([1234, 0, 0, 0, 65535, 0, 0, 0]);
});

test("the camera's size: rows the network does not see are invalid in both encodings", () => {
  const far = new Float32Array(8).fill(20);
  const all = imageOf({ depthSize: 'camera' }, far);
  expect(all).toMatchObject({ encoding: '32FC1', width: 8, height: 6, step: 32 });
  expect(metres(all).every((z) => Math.abs(z - 20) < 1e-5)).toBe(true);
  const upper = metres(imageOf({ depthSize: 'camera', imageRows: 4 }, far));
  expect(upper.slice(0, 32).every((z) => Math.abs(z - 20) < 1e-5)).toBe(true);
  expect(upper.slice(32).every((z) => Number.isNaN(z))).toBe(true);
  const whole = millimetres(imageOf({ depthSize: 'camera', imageRows: 4, depthEncoding: '16UC1' }, far));
  expect(whole.slice(0, 32).every((z) => z === 20000)).toBe(true);
  expect(whole.slice(32)).toEqual(new Array(16).fill(0));
});

test('the largest image that max_image_bytes lets through is refused where its depth would be as large', () => {
  expect(sizeFault('camera', { width: 7680, height: 4320 })).toBeUndefined();
  expect(sizeFault('network', { width: 10_000, height: 9_999 })).toBeUndefined();
  expect(sizeFault('camera', { width: 10_000, height: 9_999 })).toMatch(
    /^width x height is 10000x9999; with depth_size camera at most 33177600 pixels: set depth_size to network/,
  );
});

test('another size at every frame: never a byte of the frame before', () => {
  const options = { depthEncoding: '16UC1', depthSize: 'camera', imageRows: 0, width: 4, height: 2 } as const;
  const images = new DepthImages(options);
  for (const [i, [width, height]] of [
    [8, 6],
    [3, 3],
    [16, 9],
    [5, 2],
    [16, 9],
  ].entries()) {
    const image = images.imageOf(new Float32Array(8).fill(i + 1), header, { width, height });
    expect(image).toMatchObject({ width, height, step: 2 * width });
    expect(millimetres(image)).toEqual(new Array(width * height).fill(1000 * (i + 1)));
  }
});
