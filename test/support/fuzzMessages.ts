/** Messages as publishers mean them, and one of each class of fault, for the topics that nodes share. */
import sharp from 'sharp';
import { CdrWriter, type Header } from '../../src/nodes/ros/cdr';
import {
  WHOLE_IMAGE,
  writeCameraInfo,
  writeImage,
  type CameraInfoMessage,
  type ImageMessage,
} from '../../src/nodes/ros/messages';
import { writeModelUpdate } from '../../src/nodes/ros/modelMessages';
import { CAMERA, HEIGHT, picture, WIDTH } from './depthNode';
import type { FaultClass } from './fuzz';

export const cdr = (): CdrWriter => new CdrWriter().start();
export const bytes = (writer: CdrWriter): Buffer => Buffer.from(writer.take());

export const header: Header = { stamp: { sec: 77, nanosec: 0 }, frameId: 'front_optical' };
/** -1 ns as a publisher's arithmetic has it; a date after 2038, which int32 has below zero; a name longer than any. */
const headers: [string, Header, string][] = [
  [
    'before 1970',
    { ...header, stamp: { sec: -190_000_000, nanosec: 5 } },
    'header.stamp is -?\\d+ s and \\d+ ns, which is no time',
  ],
  ['of endless frame_id', { ...header, frameId: 'f'.repeat(5000) }, 'length of header.frame_id is 5000'],
];
const NEGATIVE_NS: Header = { ...header, stamp: { sec: 77, nanosec: 0xffffffff } };

/** Faults that every header may have; `ignored`: what the log says before it. */
export function headerClasses(ignored: string, make: (header: Header) => Buffer): FaultClass[] {
  return headers.map(([name, bad, says]) => [name, make(bad), new RegExp(`${ignored}: ${says}`)]);
}

const good: ImageMessage = {
  header,
  height: HEIGHT,
  width: WIDTH,
  encoding: 'rgb8',
  isBigEndian: false,
  step: WIDTH * 3,
  data: picture(WIDTH, HEIGHT, 1),
};
export const image = (changes: Partial<ImageMessage>): Buffer => bytes(writeImage(cdr(), { ...good, ...changes }));
export const MOST_IMAGE_BYTES = 200_000;
const oversize = { width: 600, height: 600, step: 1800, data: new Uint8Array(600 * 1800) };

/** @param ignored what the log says before the fault, as a regular expression: "image ignored", "\S*image: not shown" */
export const imageFaults = (ignored: string): FaultClass[] => [
  ['cut off in its header', image({}).subarray(0, 10), new RegExp(`${ignored}: CDR message of \\d+ bytes ends inside`)],
  [
    'with a line of its own',
    image({ encoding: 'x\n[FATAL] forged' }),
    new RegExp(`${ignored}: encoding is "x \\[FATAL\\] forged"`),
  ],
  ['with too little data', image({ data: new Uint8Array(8) }), new RegExp(`${ignored}: data has 8 bytes`)],
  [
    'of no size',
    image({ width: 0, height: 0, step: 0, data: new Uint8Array(0) }),
    new RegExp(`${ignored}: size is \\d+x\\d+`),
  ],
  [
    'that says it is huge',
    image({ width: 2 ** 31, height: 2 ** 31 }),
    new RegExp(`${ignored}: step is 288, less than`),
  ],
  ...headerClasses(ignored, (header) => image({ header })),
];
export const hugeImage: FaultClass = [
  'that is huge',
  image(oversize),
  /message has \d+ bytes, max_image_bytes is 200000/,
];

const goodInfo: CameraInfoMessage = {
  header,
  height: CAMERA.height,
  width: CAMERA.width,
  distortionModel: 'plumb_bob',
  d: CAMERA.d,
  k: CAMERA.k,
  r: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  p: CAMERA.p,
  binningX: 0,
  binningY: 0,
  roi: WHOLE_IMAGE,
};
/** K of the camera_info above, as a plain array. */
export const cameraK = CAMERA.k;
export const info = (changes: Partial<CameraInfoMessage>): Buffer =>
  bytes(writeCameraInfo(cdr(), { ...goodInfo, ...changes }));

/** @param ignored as for images: "camera_info ignored" */
export function infoFaults(ignored: string): FaultClass[] {
  const faults: [string, Buffer, string][] = [
    ['cut off', info({}).subarray(0, 60), 'CDR message'],
    ['of no size', info({ width: 0 }), 'size is 0x128'],
    ['not calibrated', info({ k: new Array<number>(9).fill(0) }), 'k\\[0\\] \\(fx\\) is 0'],
    ['NaN', info({ p: CAMERA.p.map(() => NaN) }), 'p\\[0\\] is '],
    ['infinite', info({ d: [Infinity, 0, 0, 0, 0] }), 'd\\[0\\] is '],
    ['out of all measure', info({ r: new Array<number>(9).fill(1e308) }), 'r\\[0\\] is '],
    ['of endless coefficients', info({ d: new Array<number>(5000).fill(0) }), 'd has 5000 coefficients'],
    ['of an endless model', info({ distortionModel: 'm'.repeat(5000) }), 'distortion_model has 5000 characters'],
    ['with more binning than pixels', info({ binningX: 2 ** 31 }), 'binning is 2147483648x0'],
    [
      'with a roi outside',
      info({ roi: { xOffset: 4e9, yOffset: 0, width: 10, height: 10, doRectify: false } }),
      'roi is 10x10 at 4000000000',
    ],
  ];
  return faults.map(([name, message, says]) => [name, message, new RegExp(`${ignored}: ${says}`)]);
}

export interface Compressed {
  readonly header?: Header;
  readonly format?: string;
  readonly data: Uint8Array;
}
export const compressed = ({ header: own = header, format = 'rgb8; jpeg compressed bgr8', data }: Compressed): Buffer =>
  bytes(cdr().header(own).string(format).bytes(data));

export async function jpegOf(rgb: Uint8Array, width = WIDTH, height = HEIGHT): Promise<Buffer> {
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 95 })
    .toBuffer();
}

/** A PNG that says it is of 60,000 x 60,000 pixels, in a few bytes. */
async function bomb(): Promise<Buffer> {
  const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  png.writeUInt32BE(60_000, 16);
  png.writeUInt32BE(60_000, 20);
  return png;
}

export async function compressedFaults(): Promise<FaultClass[]> {
  const data = await jpegOf(picture(WIDTH, HEIGHT, 1));
  const deep = 'image ignored: format is "16UC1; compressedDepth"';
  return [
    ['cut off in its header', compressed({ data }).subarray(0, 10), /image ignored: CDR message of \d+ bytes ends/],
    ['cut off in its picture', compressed({ data: data.subarray(0, 900) }), /image ignored: data of format "[^"]*" /],
    ['a depth image', compressed({ data, format: '16UC1; compressedDepth' }), new RegExp(deep)],
    ...headerClasses('image ignored', (header) => compressed({ data, header })),
  ];
}

/** Besides: faults that share their word in the log with one above. */
export async function moreCompressed(): Promise<Buffer[]> {
  const data = await jpegOf(picture(WIDTH, HEIGHT, 1));
  const files = [new Uint8Array(0), await bomb(), Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')];
  return [...files.map((file) => compressed({ data: file })), compressed({ data, header: NEGATIVE_NS })];
}
export const moreImages = (): Buffer[] => [
  image({ header: NEGATIVE_NS }),
  image({ header: { ...header, stamp: { sec: 0, nanosec: 0 } } }),
  image({ header: { ...header, stamp: { sec: 0x7fffffff, nanosec: 999_999_999 } } }),
  image({ width: 1, height: 6144, step: 3 }),
  image({ width: 6144, height: 1, step: 18_432 }),
];

const sha256 = 'ab'.repeat(32);
const goodUpdate = {
  kind: 'whole',
  version: 3,
  sha256,
  parentSha256: sha256,
  keyId: '',
  signature: new Uint8Array(0),
  data: new Uint8Array(100),
} as const;
export const update = (changes: { sha256?: string } = {}): Buffer =>
  bytes(writeModelUpdate(cdr(), header.stamp, { ...goodUpdate, ...changes }));
export const updateFaults: readonly FaultClass[] = [
  ['cut off', update().subarray(0, 30), /update 0 refused: not a ModelUpdate: CDR message/],
  ['with no digest', update({ sha256: 'zz\n[FATAL] forged' }), /update 3 refused: sha256/],
  ['of an unknown parent', update(), /update 3 refused: parent_sha256/],
];

export interface Velocity {
  readonly linear?: readonly number[];
  readonly header?: Header;
  readonly covariance?: number;
}
export const twist = ({ linear = [4, 0, 0], header: own = header }: Velocity): Buffer =>
  bytes(cdr().header(own).float64s(linear).float64s([0, 0, 0]));
export const odometry = ({ linear = [4, 0, 0], header: own = header, covariance = 0.01 }: Velocity): Buffer =>
  bytes(
    cdr()
      .header(own)
      .string('base_link')
      .float64s([1, 2, 3, 0, 0, 0, 1])
      .float64s(new Array<number>(36).fill(covariance))
      .float64s(linear)
      .float64s([0, 0, 0])
      .float64s(new Array<number>(36).fill(covariance)),
  );

/** @param make one of the two above  @param topic as in the log */
export function velocityFaults(topic: string, make: (velocity: Velocity) => Buffer): FaultClass[] {
  const ignored = `${topic}: message ignored`;
  return [
    ['cut off', make({}).subarray(0, 30), new RegExp(`${ignored}: CDR message`)],
    ['NaN', make({ linear: [0, NaN, 0] }), new RegExp(`${ignored}: twist.linear.y is (NaN|-?Infinity)`)],
    ['infinite', make({ linear: [-Infinity, 0, 0] }), new RegExp(`${ignored}: twist.linear.x is (NaN|-?Infinity)`)],
    ['faster than anything', make({ linear: [1e6, 0, 0] }), new RegExp(`${ignored}: twist.linear is \\S+ m/s`)],
    ...headerClasses(ignored, (header) => make({ header })),
  ];
}

export interface Link {
  readonly parent?: string;
  readonly child?: string;
  readonly translation?: readonly number[];
  readonly rotation?: readonly number[];
}
export const transforms = (...links: Link[]): Buffer => {
  const writer = cdr().uint32(links.length);
  for (const { parent = 'base_link', child = 'front_optical', translation, rotation } of links)
    writer
      .header({ ...header, frameId: parent })
      .string(child)
      .float64s(translation ?? [1.5, 0, 1.2])
      .float64s(rotation ?? [-0.5, 0.5, -0.5, 0.5]);
  return bytes(writer);
};

export function transformFaults(topic: string): FaultClass[] {
  const ignored = `${topic}: transform ignored`;
  const faults: [string, Link[], string][] = [
    ['without a child', [{ child: '' }], 'child_frame_id is empty'],
    ['without a parent', [{ parent: '' }], 'header.frame_id is empty, as the parent of front_optical'],
    ['its own parent', [{ parent: 'front_optical' }], 'parent of front_optical is itself'],
    ['an endless name', [{ child: 'f'.repeat(5000) }], 'length of child_frame_id is 5000'],
    [
      'a circle',
      [
        { child: 'a', parent: 'b' },
        { child: 'b', parent: 'a' },
      ],
      'circle of [ab] below [ab]',
    ],
    ['nowhere', [{ translation: [0, 0, NaN] }], 'translation.z of [^\\n]* is '],
    ['no rotation', [{ rotation: [0, 0, 0, 0] }], 'rotation of front_optical is [^\\n]* of length'],
  ];
  return [
    ['cut off', transforms({}).subarray(0, 60), new RegExp(`${topic}: message ignored: CDR message`)],
    ...faults.map(([name, links, says]): FaultClass => [name, transforms(...links), new RegExp(`${ignored}: ${says}`)]),
  ];
}
export const moreTransforms = (): Buffer[] => [
  transforms({ rotation: [0, 0, 0, 2] }),
  transforms({ rotation: [NaN, 0, 0, 1] }),
  transforms({ translation: [Infinity, 0, 0] }),
  transforms({}, { child: 'wheel', parent: 'base_link' }),
];

/** rosgraph_msgs/Clock. */
export const clock = (sec: number, nanosec = 0): Buffer => bytes(cdr().time({ sec, nanosec }));
export const clockFaults: readonly FaultClass[] = [
  ['before 1970', clock(-1), /\/clock: message ignored: clock\.sec is -\d+, before 1970/],
  [
    'nanoseconds of more than a second',
    clock(2 ** 31 - 1, 2 ** 32 - 1),
    /\/clock: message ignored: clock\.nanosec is \d+, /,
  ],
];
