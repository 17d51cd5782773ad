/** JPEG and PNG of CompressedImage messages, against OpenCV's imdecode and area shrink. */
import { ImageResizer, type ImageSize } from '../../src/geometry/imageResizer';
import { decodePicture } from '../../src/nodes/compressedPicture';
import { bytes, difference, opencv } from '../support/opencv';

interface Answer {
  file: string;
  expected: string;
}

const [WIDTH, HEIGHT] = [416, 128];
const output = [WIDTH, HEIGHT];
const whole = (size: ImageSize) => ({ ...size, heightUnit: 1 });
const network = () => ({ width: WIDTH, height: HEIGHT, heightUnit: 1 });

async function shrunk(format: string, file: Uint8Array, rows?: number): Promise<Uint8Array> {
  const least = ({ height }: ImageSize) => ({
    width: WIDTH,
    height: (HEIGHT * height) / (rows ?? height),
    heightUnit: rows ? 12 : 1,
  });
  const { height, pixels } = await decodePicture({ format, data: file }, least);
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3);
  const seen = Math.round(((rows ?? height) * pixels.height) / height);
  new ImageResizer().resize({ ...pixels, height: seen }, WIDTH, HEIGHT, rgb);
  return rgb;
}

/** Command, format, rows; the mean and 99.9th percentile of the difference let pass. */
const CASES: [string, object, string, number, number][] = [
  ['jpeg, decoded smaller', { extension: '.jpg' }, 'jpeg', 1.5, 12],
  ['of image_transport', { extension: '.jpg' }, 'bgr8; jpeg compressed bgr8', 1.5, 12],
  ['jpeg with rows left out', { extension: '.jpg', rows: 660 }, 'jpeg', 1.5, 16],
  ['jpeg of twice the size', { extension: '.jpg', size: [832, 256] }, 'rgb8; jpeg compressed bgr8', 0.6, 3],
  ['jpeg, grey', { extension: '.jpg', grey: true }, 'mono8; jpeg compressed', 1.5, 12],
  ['png', { extension: '.png' }, 'rgb8; png compressed bgr8', 0.6, 2],
  ['png, grey', { extension: '.png', grey: true }, 'png', 0.6, 2],
  ['red and blue changed by the sender', { extension: '.jpg', swapped: true }, 'rgb8; jpeg compressed rgb8', 1.5, 12],
];
let answers: Answer[];
beforeAll(() => {
  answers = opencv<Answer>([
    ...CASES.map(([, command]) => ({ op: 'encoded', output, ...command })),
    { op: 'encoded', output, extension: '.png', deep: true },
  ]);
});

test.each(CASES.map(([name, command, format, mean, p999], i) => [name, { command, format, mean, p999, i }] as const))(
  '%s: as OpenCV',
  async (_, { command, format, mean, p999, i }) => {
    const rgb = await shrunk(format, bytes(answers[i].file), (command as { rows?: number }).rows);
    const seen = difference(rgb, bytes(answers[i].expected));
    expect(seen.mean).toBeLessThan(mean);
    expect(seen.p999).toBeLessThanOrEqual(p999);
  },
);

test('a jpeg is decoded no smaller than asked for, and says the size of the camera all the same', async () => {
  const data = bytes(answers[0].file);
  const small = await decodePicture({ format: 'jpeg', data }, network);
  expect(small).toMatchObject({ width: 1280, height: 720 });
  expect(small.pixels.width).toBeGreaterThanOrEqual(WIDTH);
  expect(small.pixels.width).toBeLessThan(1280);
  expect(small.pixels.height / small.pixels.width).toBeCloseTo(720 / 1280, 2);
  expect((await decodePicture({ format: 'jpeg', data }, whole)).pixels).toMatchObject({ width: 1280, height: 720 });
});

test('what cannot be read is refused by name', async () => {
  const refused = async (format: string, data: Uint8Array, message: RegExp): Promise<void> =>
    expect(decodePicture({ format, data }, network)).rejects.toThrow(message);
  const jpeg = bytes(answers[0].file);
  await refused('jpeg', jpeg.slice(0, jpeg.length / 2), /^data of format "jpeg" cannot be decoded \(/);
  const damaged = jpeg.slice();
  damaged.fill(0xff, damaged.length / 2, damaged.length / 2 + 400);
  await refused('jpeg', damaged, /^data of format "jpeg" cannot be decoded \(/);
  await refused('jpeg', new Uint8Array(0), /^data of format "jpeg" cannot be decoded \(/);
  await refused('h264', new Uint8Array(5000).fill(7), /^data of format "h264" cannot be decoded \(/);
  const deep = bytes(answers[CASES.length].file);
  await refused('png', deep, /^data of format "png" has ushort samples; known are 8 bits/);
  await refused('16UC1; compressedDepth', deep, /^format is "16UC1; compressedDepth", a depth image/);
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
  await refused('svg', svg, /^data of format "svg" is svg; known are jpeg and png/);
});
