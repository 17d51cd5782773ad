import sharp from 'sharp';
import {
  CameraEncoder,
  encodeConfidence,
  encodeDepth,
  encodeGradient,
} from '../../../src/nodes/dashboard/encodePictures';
import { CdrWriter } from '../../../src/nodes/ros/cdr';
import { floatImage, writeDepthGradient, writeImage, type ImageMessage } from '../../../src/nodes/ros/messages';

const header = { stamp: { sec: 5, nanosec: 6 }, frameId: 'lens' };
const write = (image: ImageMessage): Buffer => writeImage(new CdrWriter().start(), image).take();
const image = (fields: Partial<ImageMessage>): Buffer =>
  write({
    header,
    width: 4,
    height: 2,
    encoding: 'rgb8',
    isBigEndian: false,
    step: 12,
    data: new Uint8Array(24),
    ...fields,
  });

test('the camera is shrunk to the width asked for, whatever its encoding', async () => {
  const camera = new CameraEncoder();
  const [width, height] = [64, 48];
  for (const [encoding, pixel] of [
    ['rgb8', [200, 100, 50]],
    ['bgra8', [50, 100, 200, 255]],
  ] as const) {
    const step = width * pixel.length;
    const data = Uint8Array.from({ length: step * height }, (_, i) => pixel[i % pixel.length]);
    const message = image({ width, height, encoding, step, data });
    const { header: told, payload } = await camera.encode(message, 32, 40);
    expect(told).toEqual({ stamp: header.stamp, frameId: 'lens', width, height, encoding, rows: 40 });
    const { data: decoded, info } = await sharp(payload).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 32, height: 24, channels: 3 });
    [200, 100, 50].forEach((value, c) => expect(Math.abs(decoded[3 * 100 + c] - value)).toBeLessThan(4));
  }
  expect((await camera.encode(image({}), 640, 0)).header).toMatchObject({ width: 4, height: 2, rows: 2 });
});

test('a message that says it is larger than it is costs nothing', async () => {
  const camera = new CameraEncoder();
  const before = process.memoryUsage().arrayBuffers;
  for (const [width, height] of [
    [640, 500_000],
    [1, 0xffffffff],
  ]) {
    const message = image({ width, height, step: 3 * width, data: new Uint8Array(60) });
    await expect(camera.encode(message, 640, 0)).rejects.toThrow(/data has 60 bytes/);
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
});

test('maps keep their numbers, and what has none says so', () => {
  const depth = encodeDepth(write(floatImage(header, 1, 4, Float32Array.of(1.5, NaN, Infinity, -Infinity))), undefined);
  expect([...new Uint16Array(depth.payload.buffer)]).toEqual([0x3e00, 0x7e00, 0x7c00, 0xfc00]);
  expect(depth.header.k).toBeUndefined();
  const confidence = encodeConfidence(write(floatImage(header, 1, 4, Float32Array.of(0, 0.5, 1, NaN))));
  expect([...confidence.payload]).toEqual([0, 128, 255, 0]);
  const gradient = encodeGradient(
    writeDepthGradient(new CdrWriter().start(), header, 1, 2, Float32Array.of(1, -1, 0, 0.5)).take(),
  );
  expect([...new Uint16Array(gradient.payload.buffer)]).toEqual([0x3c00, 0xbc00, 0, 0x3800]);
  expect(gradient.header).toMatchObject({ width: 2, height: 1, units: '1/pixel' });
});

test('rows may be longer than the picture', () => {
  const data = new Uint8Array(Float32Array.of(1, 2, 99, 3, 4, 99).buffer);
  const { payload } = encodeDepth(image({ width: 2, height: 2, encoding: '32FC1', step: 12, data }), undefined);
  expect([...new Uint16Array(payload.buffer)]).toEqual([0x3c00, 0x4000, 0x4200, 0x4400]);
});

test.each([
  ['another encoding', image({ encoding: 'mono16' }), /encoding is "mono16", not 32FC1/],
  ['big endian', image({ encoding: '32FC1', isBigEndian: true }), /is_bigendian/],
  ['too few bytes', image({ encoding: '32FC1', step: 16 }), /data has 24 bytes; 4x2 32FC1 in steps of 16 need more/],
  ['no pixels', image({ encoding: '32FC1', width: 0 }), /0x2/],
  ['a cut message', image({}).subarray(0, 20), /ends inside a field/],
])('%s is named', (_, message, expected) => {
  expect(() => encodeDepth(message, undefined)).toThrow(expected);
});

test('millimetres are shown as metres, 0 of them as nothing', () => {
  const data = Uint8Array.from([0, 0, 0xdc, 0x05, 0xff, 0xff, 0xe8, 0x03, 0xd0, 0x07, 0xff, 0xff]); // rows of two, filled up
  const fields = { width: 2, height: 2, encoding: '16UC1', step: 6, data };
  expect([...new Uint16Array(encodeDepth(image(fields), undefined).payload.buffer)]).toEqual([
    0x7e00, 0x3e00, 0x3c00, 0x4000,
  ]);
  expect(() => encodeDepth(image({ ...fields, data: data.subarray(0, 6) }), undefined)).toThrow('2x2 16UC1');
});
