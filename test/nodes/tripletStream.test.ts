/** Camera frames on their way to the learner, and what /diagnostics says of streams that cannot be learned from. */
import sharp from 'sharp';
import { defaultOptions } from '../../src/adaptation/options';
import type { Triplet } from '../../src/adaptation/frame';
import { CdrWriter } from '../../src/nodes/ros/cdr';
import { WHOLE_IMAGE, writeImage, type CameraInfoMessage } from '../../src/nodes/ros/messages';
import { ThrottledLog } from '../../src/nodes/ros/throttledLog';
import { StreamHealth } from '../../src/nodes/streamHealth';
import { TripletStream } from '../../src/nodes/tripletStream';

const [WIDTH, HEIGHT] = [128, 64];
const RATE = 10;

const calibrated: CameraInfoMessage = {
  header: { stamp: { sec: 0, nanosec: 0 }, frameId: '' },
  width: WIDTH,
  height: HEIGHT,
  distortionModel: 'plumb_bob',
  d: [0, 0, 0, 0, 0],
  k: [100, 0, 63.5, 0, 100, 31.5, 0, 0, 1],
  r: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  p: [100, 0, 63.5, 0, 0, 100, 31.5, 0, 0, 0, 1, 0],
  binningX: 0,
  binningY: 0,
  roi: WHOLE_IMAGE,
};

/** Bright above, dark below, with texture that wanders by `shift` pixels. */
function scene(shift: number): Uint8Array {
  const image = new Uint8Array(3 * WIDTH * HEIGHT);
  for (let v = 0, i = 0; v < HEIGHT; v++)
    for (let u = 0; u < WIDTH; u++) {
      const texture = 25 * Math.sin((u + shift) / 5) * Math.sin(v / 4) + 10 * Math.sin(u * 1.7 + v * 2.3 + shift);
      image.fill(Math.max(0, Math.min(255, 200 - 2 * v + texture)), i, (i += 3));
    }
  return image;
}

let seed = 1;
const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
const noise = (): Uint8Array => new Uint8Array(3 * WIDTH * HEIGHT).map(() => 60 + 130 * random());
const turned = (image: Uint8Array): Uint8Array =>
  image.map((_, i) => image[image.length - 3 - 3 * Math.floor(i / 3) + (i % 3)]);

class Rig {
  info: CameraInfoMessage | undefined = calibrated;
  seconds = 100;
  readonly warnings: string[] = [];
  readonly triplets: Triplet[] = [];
  readonly stream: TripletStream;
  readonly #health = new StreamHealth();
  readonly #cdr = new CdrWriter();
  #number = 0;

  constructor(options: Partial<ConstructorParameters<typeof TripletStream>[0]> = {}) {
    const write = (message: string): void => void this.warnings.push(message);
    this.stream = new TripletStream({
      width: WIDTH,
      height: HEIGHT,
      imageRows: 0,
      imageTopic: '/image',
      log: new ThrottledLog({ info: write, warn: write, error: write }),
      cameraInfo: () => this.info,
      rectify: true,
      rectified: false,
      speedAt: (stamp) => stamp / 10,
      options: () => defaultOptions,
      ...options,
    });
  }

  show(data: Uint8Array, width = WIDTH, height = HEIGHT): void {
    this.seconds += 1 / RATE;
    const stamp = { sec: Math.floor(this.seconds), nanosec: Math.floor((this.seconds % 1) * 1e9) };
    const image = { header: { stamp, frameId: 'camera' }, height, width, encoding: 'rgb8', isBigEndian: false };
    const message = writeImage(this.#cdr.start(), { ...image, step: 3 * width, data }).take();
    const triplet = this.stream.take(Buffer.from(message));
    if (triplet) this.triplets.push(triplet);
  }

  /** Seconds of frames by their number; what is said at their end, and how many triplets the last second gave. */
  run(seconds: number, make: (frame: number) => Uint8Array): { said: string | undefined; triplets: number } {
    let [said, before] = [undefined as string | undefined, 0];
    for (let second = 0; second < seconds; second++) {
      before = this.triplets.length;
      for (let i = 0; i < RATE; i++) this.show(make(this.#number++));
      said = this.#health.look(this.stream);
    }
    return { said, triplets: this.triplets.length - before };
  }

  silence(): string | undefined {
    return this.#health.look(this.stream);
  }
}

const good = (frame: number): Uint8Array => scene(3 * frame);
const usable = { said: undefined, triplets: RATE };

test.each<[string, (frame: number) => Uint8Array, RegExp]>([
  ['black', () => new Uint8Array(3 * WIDTH * HEIGHT), /^the images are black/],
  ['overexposed', (i) => new Uint8Array(3 * WIDTH * HEIGHT).fill(253 + (i % 3)), /^the images are overexposed/],
  ['frozen', () => scene(3), /^the stream is frozen/],
  ['upside-down', (frame) => turned(good(frame)), /^the images are upside-down since they were turned/],
  ['noise', noise, /^neighbouring images have nothing in common: noise/],
])('%s: named, nothing is learned from it, and good frames are learned from again', (_, bad, cause) => {
  const rig = new Rig();
  expect(rig.run(6, good)).toEqual(usable);
  const { said, triplets } = rig.run(6, bad);
  expect(said).toMatch(cause);
  expect(triplets).toBe(0);
  expect(rig.run(7, good)).toEqual(usable);
});

test('a camera that was mounted anew is taken as it is', () => {
  const rig = new Rig();
  rig.run(6, good);
  expect(rig.run(6, (frame) => turned(good(frame))).triplets).toBe(0);
  rig.stream.forgetTurn();
  expect(rig.run(7, (frame) => turned(good(frame)))).toEqual(usable);
});

test('a turned camera stays named through another scene, and is learned from again when it is turned back', () => {
  const rig = new Rig();
  rig.run(6, good);
  // Bright to the right: neither like the scene before nor like that turned over.
  const elsewhere = (frame: number): Uint8Array =>
    good(frame).map((level, i) => level / 4 + 1.5 * (Math.floor(i / 3) % WIDTH));
  expect(rig.run(2, (frame) => turned(good(frame))).triplets).toBe(0);
  expect(rig.run(2, (frame) => turned(elsewhere(frame))).triplets).toBe(0);
  const { said, triplets } = rig.run(7, elsewhere);
  expect(said).toBeUndefined();
  expect(triplets).toBeGreaterThan(0);
});

test('a picture that looks turned over behind a tunnel is another scene', () => {
  const rig = new Rig();
  rig.run(6, good);
  rig.run(2, () => new Uint8Array(3 * WIDTH * HEIGHT));
  expect(rig.run(7, (frame) => turned(good(frame)))).toEqual(usable);
});

test('a standing vehicle is no fault, and a scene of less detail is learned from after a while', () => {
  const rig = new Rig();
  rig.run(6, good);
  const standing = rig.run(6, (frame) => scene(3).map((level, i) => level + ((i + frame) % 7 === 0 ? 1 : 0)));
  expect(standing).toEqual({ said: undefined, triplets: 0 });
  const smooth = (frame: number): Uint8Array =>
    good(frame).map((_, i) => 150 - Math.floor(i / 3 / WIDTH) + 20 * Math.sin((Math.floor(i / 3) % WIDTH) / 9 + frame));
  expect(rig.run(1, smooth).triplets).toBe(0);
  expect(rig.run(10, smooth)).toEqual(usable);
});

test('no camera_info, a clock that goes back, another resolution, silence', () => {
  const rig = new Rig();
  rig.info = undefined;
  expect(rig.run(3, good)).toEqual({ said: expect.stringMatching(/^no usable camera_info/) as string, triplets: 0 });
  rig.info = calibrated;
  expect(rig.run(7, good)).toEqual(usable);
  rig.seconds -= 50;
  expect(rig.run(1, good)).toEqual({ said: 'header.stamp went back', triplets: RATE - 2 });
  expect(rig.stream.jumpedBack).toBeCloseTo(50 - 1 / RATE);
  expect(rig.run(6, good)).toEqual(usable);
  const large = new Uint8Array(4 * 3 * WIDTH * HEIGHT);
  const small = good(0);
  for (let i = 0; i < large.length; i++) {
    const [v, u] = [Math.floor(i / 6 / WIDTH), Math.floor(i / 3) % (2 * WIDTH)];
    large[i] = small[3 * ((v >> 1) * WIDTH + (u >> 1)) + (i % 3)];
  }
  rig.show(large, 2 * WIDTH, 2 * HEIGHT);
  expect(rig.silence()).toContain('the resolution of the images changed');
  expect(rig.warnings).toEqual([expect.stringContaining('width x height is 128x64, the image on /image has 256x128')]);
  expect([rig.silence(), rig.silence()]).toEqual(['no images arrive any more', 'no images arrive any more']);
});

test('compressed images are learned from as raw ones are', async () => {
  const rig = new Rig();
  for (let frame = 0; frame < 4; frame++) {
    const raw = { width: WIDTH, height: HEIGHT, channels: 3 } as const;
    const file = await sharp(good(frame), { raw }).png().toBuffer();
    const header = { stamp: { sec: 100, nanosec: frame * 1e8 }, frameId: 'camera' };
    const message = new CdrWriter().start().header(header).string('png').bytes(file).take();
    const triplet = await rig.stream.takeCompressed(message);
    if (triplet) rig.triplets.push(triplet);
  }
  expect(rig.triplets).toHaveLength(2);
  expect(rig.triplets[1].images[1]).toEqual(good(2));
  expect(rig.stream.frames).toBe(4);
});

test('triplets carry the speed, and the pinhole of the undistorted or the rectified image', () => {
  const plain = new Rig();
  plain.run(1, good);
  const [{ intrinsics, stamp, motion, images }] = plain.triplets;
  expect(intrinsics).toEqual({ width: WIDTH, height: HEIGHT, fx: 100, fy: 100, cx: 63.5, cy: 31.5 });
  expect(motion!.speed).toBeCloseTo(stamp / 10);
  expect(motion!.untilNext).toBeCloseTo(1 / RATE);
  expect(images[0]).toEqual(scene(0));

  const p = [90, 0, 60, 0, 0, 90, 30, 0, 0, 0, 1, 0]; // another view
  const rectified = new Rig({ rectified: true });
  rectified.info = { ...calibrated, p };
  rectified.run(1, good);
  expect(rectified.triplets[0].intrinsics).toMatchObject({ fx: 90, cx: 60, cy: 30 });

  const lens = new Rig();
  lens.info = { ...calibrated, p, d: [0.2, 0, 0, 0, 0] };
  lens.run(1, good);
  expect(lens.triplets[0].intrinsics).toMatchObject({ fx: 90, cx: 60, cy: 30 }); // the view of p
  expect(lens.triplets[0].images[0]).not.toEqual(scene(0));

  const withoutP = new Rig();
  withoutP.info = { ...lens.info, p: new Array<number>(12).fill(0) };
  withoutP.run(1, good);
  expect(withoutP.triplets[0].intrinsics.fx).toBeGreaterThan(100); // no black corners

  const fisheye = new Rig();
  fisheye.info = { ...calibrated, p, distortionModel: 'equidistant', d: [0.1, 0, 0, 0] };
  fisheye.run(1, good);
  expect(fisheye.triplets[0].images[0]).not.toEqual(scene(0));

  const unknown = new Rig();
  unknown.info = { ...calibrated, distortionModel: 'kannala', d: [0.1, 0, 0, 0] };
  expect(unknown.run(3, good).said).toMatch(/^no usable camera_info/);
  expect(unknown.warnings).toEqual([expect.stringContaining('distortion_model is "kannala" with 4 coefficients')]);
});
