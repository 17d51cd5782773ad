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
    const { header: told, payload } = await camera.encode(message, {
      imageTransport: 'raw',
      pictureWidth: 32,
      imageRows: 40,
    });
    expect(told).toEqual({ stamp: header.stamp, frameId: 'lens', width, height, encoding, rows: 40 });
    const { data: decoded, info } = await sharp(payload).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 32, height: 24, channels: 3 });
    [200, 100, 50].forEach((value, c) => expect(Math.abs(decoded[3 * 100 + c] - value)).toBeLessThan(4));
  }
  const whole = { imageTransport: 'raw', pictureWidth: 640, imageRows: 0 } as const;
  expect((await camera.encode(image({}), whole)).header).toMatchObject({ width: 4, height: 2, rows: 2 });
});

test('nothing is made of a size that the message only says it has, and a column is no taller than a JPEG can be', async () => {
  const camera = new CameraEncoder();
  const whole = { imageTransport: 'raw', pictureWidth: 640, imageRows: 0 } as const;
  const empty = { step: 3, data: new Uint8Array(0) };
  await expect(camera.encode(image({ ...empty, width: 1, height: 2 ** 32 - 1 }), whole)).rejects.toThrow('data has 0');
  const column = image({ width: 1, height: 70_000, step: 3, data: new Uint8Array(210_000).fill(90) });
  const { info } = await sharp((await camera.encode(column, whole)).payload)
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect(info).toMatchObject({ width: 1, height: 4096 });
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

test('texts without end are refused', async () => {
  const text = '\n'.repeat(101);
  const map = floatImage(header, 1, 2, Float32Array.of(1, -1, 0, 0.5));
  const gradient = writeImage(new CdrWriter().start().header(header).uint8(0).string(text), map).take();
  expect(() => encodeGradient(gradient)).toThrow('length of units is 101');
  const jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
    .jpeg()
    .toBuffer();
  const picture = new CdrWriter().start().header(header).string(`jpeg${text}`).bytes(jpeg).take();
  const compressed = { imageTransport: 'compressed', pictureWidth: 640, imageRows: 0 } as const;
  await expect(new CameraEncoder().encode(picture, compressed)).rejects.toThrow('length of format is 105');
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
