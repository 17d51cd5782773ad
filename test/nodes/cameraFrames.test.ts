import { Subject } from 'rxjs';
import sharp from 'sharp';
import type { ModelHost } from '../../src/inference/modelHost';
import { cameraFrames, type NetworkFrame } from '../../src/nodes/cameraFrames';
import type { DepthParameters } from '../../src/nodes/depthParameters';
import { DepthStatistics } from '../../src/nodes/depthStatistics';
import { CdrWriter } from '../../src/nodes/ros/cdr';
import { writeImage } from '../../src/nodes/ros/messages';
import { ThrottledLog } from '../../src/nodes/ros/throttledLog';

const SIZE = { width: 64, height: 32 };

/** sensor_msgs/CompressedImage of a grey picture. */
async function jpegMessage(sec: number): Promise<Buffer> {
  const picture = { ...SIZE, channels: 3, background: { r: 90, g: 90, b: 90 } } as const;
  const file = await sharp({ create: picture }).jpeg().toBuffer();
  const header = { stamp: { sec, nanosec: 0 }, frameId: 'front' };
  return Buffer.from(new CdrWriter().start().header(header).string('jpeg').bytes(file).take());
}

test('compressed: one frame is decoded ahead of the network; what a newer one overtakes never is', async () => {
  const images$ = new Subject<Buffer>();
  const statistics = new DepthStatistics(0);
  let decoded = 0;
  let free = (): void => undefined;
  const busy = new Promise<void>((resolve) => (free = resolve));
  const log = new ThrottledLog({ info: fail, warn: fail, error: fail });
  const seen: NetworkFrame[] = [];
  const parameters = { imageRows: 0, rectify: true, rectified: false, imageTransport: 'compressed' } as DepthParameters;
  cameraFrames({
    images$,
    imageTopic: '/image/compressed',
    cameraInfo: () => undefined,
    network: { model: SIZE } as ModelHost,
    parameters,
    statistics,
    log,
    idle: () => busy,
    take: () => {
      decoded++;
      return undefined;
    },
  }).subscribe((frame) => seen.push(frame));

  for (const sec of [1, 2, 3, 4]) images$.next(await jpegMessage(sec));
  await until(() => decoded === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect({ decoded, seen: seen.length, dropped: statistics.dropped }).toEqual({ decoded: 1, seen: 0, dropped: 2 });
  free();
  await until(() => seen.length === 2);
  expect(seen.map(({ header }) => header.stamp.sec)).toEqual([1, 4]);
  expect({ decoded, framesIn: statistics.framesIn, dropped: statistics.dropped }).toEqual({
    decoded: 2,
    framesIn: 4,
    dropped: 2,
  });
  expect(seen[1].image).toEqual(new Uint8Array(SIZE.width * SIZE.height * 3).fill(90));
});

test("depth_size camera: an image whose map would be too large is refused by its parameter, the network's size takes it", () => {
  const [width, height] = [8000, 5000];
  const header = { stamp: { sec: 1, nanosec: 0 }, frameId: 'front' };
  const data = new Uint8Array(width * height).fill(90);
  const image = { header, width, height, encoding: 'mono8', isBigEndian: false, step: width, data };
  const message = Buffer.from(writeImage(new CdrWriter().start(), image).take());
  for (const depthSize of ['camera', 'network'] as const) {
    const images$ = new Subject<Buffer>();
    const statistics = new DepthStatistics(0);
    const [seen, warnings]: [NetworkFrame[], string[]] = [[], []];
    cameraFrames({
      images$,
      imageTopic: '/front/image_raw',
      cameraInfo: () => undefined,
      network: { model: SIZE } as ModelHost,
      parameters: {
        imageRows: 0,
        rectify: true,
        rectified: false,
        imageTransport: 'raw',
        depthSize,
      } as DepthParameters,
      statistics,
      log: new ThrottledLog({ info: fail, warn: (text: string) => warnings.push(text), error: fail }),
      idle: () => Promise.resolve(),
      take: () => undefined,
    }).subscribe((frame) => seen.push(frame));
    images$.next(message);
    const isRefused = depthSize === 'camera';
    expect({ depthSize, frames: seen.length, rejected: statistics.rejected }).toEqual({
      depthSize,
      frames: isRefused ? 0 : 1,
      rejected: isRefused ? 1 : 0,
    });
    expect(warnings[0]).toEqual(
      isRefused
        ? expect.stringMatching(
            /^\/front\/image_raw: image ignored: width x height is 8000x5000; with depth_size camera/,
          )
        : undefined,
    );
  }
});

function fail(text: string): never {
  throw new Error(text);
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !condition() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(condition()).toBe(true);
}
