import { PointCloudBuilder, writePointCloud, type PointCloud } from '../../src/nodes/pointCloud';
import { CdrReader, CdrWriter } from '../../src/nodes/ros/cdr';

const [height, width] = [4, 6];
const k = [10, 0, 2.5, 0, 12, 1.5, 0, 0, 1];
const depth = Float32Array.from({ length: height * width }, (_, i) => 1 + i / 10);
const image = Uint8Array.from({ length: 3 * height * width }, (_, i) => i);

function points({ data, hasColour }: PointCloud): number[][] {
  const floats = new Float32Array(data.slice().buffer);
  const step = hasColour ? 4 : 3;
  return Array.from({ length: floats.length / step }, (_, i) => [...floats.subarray(i * step, i * step + 3)]);
}

test('a point is where its pixel ray reaches the depth', () => {
  const cloud = new PointCloudBuilder().build(depth, { height, width, k }, { stride: 1, organised: true });
  expect(cloud).toMatchObject({ height, width, hasColour: false, isDense: true });
  for (const [i, [x, y, z]] of points(cloud).entries()) {
    const [u, v] = [i % width, Math.floor(i / width)];
    expect((x / z) * 10 + 2.5).toBeCloseTo(u, 4);
    expect((y / z) * 12 + 1.5).toBeCloseTo(v, 4);
    expect(z).toBeCloseTo(1 + i / 10, 6);
  }
});

test('sky, invalid and too near are absent, or NaN in an organised cloud', () => {
  const holed = depth.slice();
  [holed[0], holed[7], holed[9]] = [Infinity, NaN, -Infinity];
  const builder = new PointCloudBuilder();
  const dense = builder.build(holed, { height, width, k }, { stride: 1, organised: false });
  expect(dense).toMatchObject({ height: 1, width: height * width - 3, isDense: true });
  expect(points(dense).flat().every(Number.isFinite)).toBe(true);
  const organised = builder.build(holed, { height, width, k }, { stride: 1, organised: true });
  expect(organised).toMatchObject({ height, width, isDense: false });
  expect(points(organised)[7]).toEqual([NaN, NaN, NaN]);
});

test('the floor is absent: what lies farther down than its distance, along its normal', () => {
  const normal = [0, Math.cos(0.2), Math.sin(0.2)] as const;
  const down = ([x, y, z]: number[]): number => normal[0] * x + normal[1] * y + normal[2] * z;
  const builder = new PointCloudBuilder();
  const all = points(builder.build(depth, { height, width, k }, { stride: 1, organised: false }));
  const floor = { normal, distance: 0.5 };
  const kept = points(builder.build(depth, { height, width, k }, { stride: 1, organised: false, floor }));
  expect(kept.length).toBeGreaterThan(3);
  expect(kept).toEqual(all.filter((point) => down(point) <= floor.distance));
  expect(kept.length).toBeLessThan(all.length);
});

test('a stride takes every so-manyth row and column, colours those of the pixels', () => {
  const cloud = new PointCloudBuilder().build(depth, { height, width, k }, { stride: 2, organised: true }, image);
  expect(cloud).toMatchObject({ height: 2, width: 3, hasColour: true });
  expect(points(cloud).map(([, , z]) => Number(z.toFixed(3)))).toEqual([1, 1.2, 1.4, 2.2, 2.4, 2.6]);
  const words = new Uint32Array(cloud.data.slice().buffer);
  expect(words[4 * 4 + 3]).toBe((42 << 16) | (43 << 8) | 44);
});

test('the message says what the bytes are', () => {
  const cloud = new PointCloudBuilder().build(depth, { height, width, k }, { stride: 1, organised: false }, image);
  const header = { stamp: { sec: 3, nanosec: 4 }, frameId: 'optical' };
  const cdr = new CdrReader(Buffer.from(writePointCloud(new CdrWriter().start(), header, cloud).take()));
  expect([cdr.header(), cdr.uint32(), cdr.uint32()]).toEqual([header, 1, 24]);
  const fields = Array.from({ length: cdr.uint32() }, () => [cdr.string(), cdr.uint32(), cdr.uint8(), cdr.uint32()]);
  expect(fields).toEqual([
    ['x', 0, 7, 1],
    ['y', 4, 7, 1],
    ['z', 8, 7, 1],
    ['rgb', 12, 7, 1],
  ]);
  expect([cdr.uint8(), cdr.uint32(), cdr.uint32()]).toEqual([0, 16, 384]);
  expect(cdr.bytes()).toHaveLength(384);
  expect(cdr.uint8()).toBe(1);
});
