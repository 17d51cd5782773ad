import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { openFrameSource, type FrameSourceOptions, type VideoFrame } from '../../src/media/frameSource';
import { makeVideo } from '../support/makeVideo';

const folder = mkdtempSync(join(tmpdir(), 'depthgrad-frames-'));
const video = join(folder, 'made.mp4');
const WIDTH = 64;
const HEIGHT = 48;
const COUNT = 20;

/** Frame i is red on the left and blue on the right, with a green level that counts up. */
function picture(index: number): Uint8Array {
  const data = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let i = 0; i < WIDTH * HEIGHT; i++) {
    data.set(i % WIDTH < WIDTH / 2 ? [200, 8 * index, 20] : [20, 8 * index, 200], 3 * i);
  }
  return data;
}

async function collect(path: string, options?: FrameSourceOptions, limit = Infinity): Promise<VideoFrame[]> {
  const source = await openFrameSource(path, options);
  const frames: VideoFrame[] = [];
  for await (const frame of source.frames()) {
    frames.push(frame);
    if (frames.length >= limit) break;
  }
  await source.close();
  return frames;
}

function expectPicture(frame: VideoFrame, index: number): void {
  const left = 3 * (24 * WIDTH + 16);
  const right = 3 * (24 * WIDTH + 48);
  const wanted = [200, 8 * index, 20, 20, 8 * index, 200];
  const seen = [...frame.data.subarray(left, left + 3), ...frame.data.subarray(right, right + 3)];
  seen.forEach((value, c) => expect(Math.abs(value - wanted[c])).toBeLessThan(12));
}

beforeAll(async () => {
  await makeVideo(
    video,
    WIDTH,
    HEIGHT,
    25,
    Array.from({ length: COUNT }, (_, i) => picture(i)),
  );
});

describe('video files', () => {
  test('give every frame in order, rgb, each in a buffer of its own', async () => {
    const source = await openFrameSource(video);
    expect(source).toMatchObject({ width: WIDTH, height: HEIGHT, framesPerSecond: 25, frameCount: COUNT });
    const frames = await collect(video);
    expect(frames.map((f) => f.index)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
    frames.forEach((frame, i) => {
      expect(frame.timestampSeconds).toBeCloseTo(i / 25, 6);
      expect(frame.data.byteOffset).toBe(0);
      expect(frame.data.buffer.byteLength).toBe(WIDTH * HEIGHT * 3);
      expectPicture(frame, i);
    });
    expect(new Set(frames.map((f) => f.data.buffer)).size).toBe(COUNT);
  });

  test('start in the middle, and loop back to there with time going on', async () => {
    const frames = await collect(video, { start: 0.6, loop: true }, 8);
    [15, 16, 17, 18, 19, 15, 16, 17].forEach((original, i) => {
      expectPicture(frames[i], original);
      expect(frames[i].timestampSeconds).toBeCloseTo(i / 25, 6);
    });
  });

  test('end when closed', async () => {
    const source = await openFrameSource(video, { loop: true });
    let count = 0;
    for await (const frame of source.frames()) {
      count = frame.index + 1;
      if (count === 3) await source.close();
    }
    expect(count).toBe(3);
  });

  test('rows whose bytes are no multiple of the decoder alignment come out whole', async () => {
    const narrow = join(folder, 'narrow.mp4');
    const pixels = new Uint8Array(50 * 30 * 3);
    for (let i = 0; i < 50 * 30; i++) pixels.fill(i % 50 < 25 ? 220 : 30, 3 * i, 3 * i + 3);
    await makeVideo(narrow, 50, 30, 10, [pixels, pixels]);
    const [frame] = await collect(narrow);
    expect(frame).toMatchObject({ width: 50, height: 30 });
    for (let row = 0; row < 30; row++) {
      expect(frame.data[3 * (row * 50 + 10)]).toBeGreaterThan(200);
      expect(frame.data[3 * (row * 50 + 40)]).toBeLessThan(50);
    }
  });
});

describe('bad input is named', () => {
  test.each<[string, (path: string) => void, RegExp]>([
    ['missing.mp4', () => undefined, /missing\.mp4: no such file or folder/],
    ['empty.mp4', (path) => writeFileSync(path, ''), /empty\.mp4: the file is empty \(0 bytes\)/],
    [
      'text.mp4',
      (path) => writeFileSync(path, 'not a video at all\n'.repeat(50)),
      /text\.mp4: not a video FFmpeg can read/,
    ],
    ['head.mp4', (path) => writeFileSync(path, readFileSync(video).subarray(0, 60)), /head\.mp4: .*cut off/],
    ['nothing', (path) => mkdirSync(path), /nothing: no \.jpg or \.png in it/],
  ])('%s', async (name, make, message) => {
    const path = join(folder, name);
    make(path);
    await expect(openFrameSource(path)).rejects.toThrow(message);
  });

  test('a missing camera', async () => {
    await expect(openFrameSource('/dev/video97')).rejects.toThrow('/dev/video97: no such camera');
  });

  test('a character device that is no camera', async () => {
    await expect(openFrameSource('/dev/null')).rejects.toThrow(/\/dev\/null: the camera cannot be opened/);
  });

  test('a start after the end', async () => {
    await expect(collect(video, { start: 100 })).rejects.toThrow(/made\.mp4: no frame at or after start = 100 s/);
    await expect(openFrameSource(video, { start: -1 })).rejects.toThrow(/start is -1/);
  });

  test('a video cut off in the middle plays to the cut, then fails', async () => {
    const path = join(folder, 'cut.mp4');
    const whole = readFileSync(video);
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length * 0.8)));
    const source = await openFrameSource(path);
    let count = 0;
    const play = async () => {
      for await (const frame of source.frames()) count = frame.index + 1;
    };
    await expect(play()).rejects.toThrow(/cut\.mp4: cut off after \d+ of 20 frames/);
    expect(count).toBeGreaterThan(2);
    expect(count).toBeLessThan(18);
  });
});

describe('image folders', () => {
  test('come in numeric order, any kind of picture as rgb, at the rate of calib.yaml', async () => {
    const dataset = join(folder, 'dataset');
    mkdirSync(join(dataset, 'image'), { recursive: true });
    writeFileSync(join(dataset, 'calib.yaml'), 'fps: 4\n');
    const flat = { width: 8, height: 6, channels: 3 as const };
    const solid = (r: number, g: number, b: number) => sharp({ create: { ...flat, background: { r, g, b } } });
    await solid(10, 20, 30)
      .png()
      .toFile(join(dataset, 'image', '2.png'));
    await solid(90, 90, 90)
      .toColourspace('b-w')
      .png()
      .toFile(join(dataset, 'image', '10.png'));
    await solid(200, 100, 50)
      .ensureAlpha(0.5)
      .png()
      .toFile(join(dataset, 'image', '1.png'));
    const frames = await collect(dataset);
    expect(frames.map((f) => [...f.data.subarray(0, 3)])).toEqual([
      [200, 100, 50],
      [10, 20, 30],
      [90, 90, 90],
    ]);
    expect(frames.map((f) => f.timestampSeconds)).toEqual([0, 0.25, 0.5]);
    expect(frames.every((f) => f.data.length === 8 * 6 * 3 && f.data.buffer.byteLength === f.data.length)).toBe(true);
    expect((await collect(dataset, { framesPerSecond: 2, start: 0.5, loop: true }, 3)).map((f) => f.data[0])).toEqual([
      10, 90, 10,
    ]);
  });

  test('a broken picture is named when its turn comes', async () => {
    const broken = join(folder, 'broken');
    mkdirSync(broken);
    await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
      .png()
      .toFile(join(broken, '0.png'));
    writeFileSync(join(broken, '1.png'), 'no png');
    await expect(collect(broken)).rejects.toThrow(/broken\/1\.png: not a picture that can be read/);
  });
});
