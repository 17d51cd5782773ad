import { CdrReader, CdrWriter, LAST_SECOND } from '../../src/nodes/ros/cdr';
import {
  floatImage,
  readCameraInfo,
  readImage,
  readOdometryTwist,
  readTwistStamped,
  WHOLE_IMAGE,
  writeCameraInfo,
  writeImage,
} from '../../src/nodes/ros/messages';

const header = { stamp: { sec: -3, nanosec: 999_999_999 }, frameId: 'rühr' };

test('fields are aligned from the end of the encapsulation header, gaps are zero', () => {
  const cdr = new CdrWriter();
  cdr.start().string('x'.repeat(40)).float64(1); // leaves bytes behind that the next message must not show
  const message = cdr.start().uint8(7).float64(1.5).uint8(1).uint32(2).string('ab').take();
  expect(message.toString('hex')).toBe(
    '00010000' + '0700000000000000' + '000000000000f83f' + '01000000' + '02000000' + '03000000' + '616200',
  );
});

test('a time beyond 2038 is written as the last there is, one before 1970 as it is', () => {
  const written = (sec: number): object =>
    new CdrReader(new CdrWriter().start().time({ sec, nanosec: 5 }).take()).time();
  expect(written(LAST_SECOND)).toEqual({ sec: 2_147_483_647, nanosec: 5 });
  for (const sec of [LAST_SECOND + 1, 4_102_444_800, 2 ** 33])
    expect(written(sec)).toEqual({ sec: 2_147_483_647, nanosec: 999_999_999 });
  expect(written(-3)).toEqual({ sec: -3, nanosec: 5 });
});

test('a message larger than the buffer comes out whole', () => {
  const data = Uint8Array.from({ length: 100_003 }, (_, i) => i);
  const image = { header, height: 1, width: 100_003, encoding: 'mono8', isBigEndian: false, step: 100_003, data };
  const read = readImage(Buffer.from(writeImage(new CdrWriter().start(), image).take()));
  expect(read).toMatchObject({ header, height: 1, width: 100_003, encoding: 'mono8', step: 100_003 });
  expect(Buffer.compare(Buffer.from(read.data), Buffer.from(data))).toBe(0);
});

test('camera_info is read as it was written', () => {
  const nine = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const info = {
    header,
    height: 480,
    width: 640,
    distortionModel: 'plumb_bob',
    d: [0.1, 0.2, 0, 0, 0.3],
    k: nine,
    r: nine,
  };
  const whole = {
    ...info,
    p: [...nine, 10, 11, 12],
    binningX: 1,
    binningY: 2,
    roi: { ...WHOLE_IMAGE, doRectify: true },
  };
  const read = readCameraInfo(Buffer.from(writeCameraInfo(new CdrWriter().start(), whole).take()));
  expect({
    ...read,
    d: [...Array.from(read.d)],
    k: Array.from(read.k),
    r: Array.from(read.r),
    p: Array.from(read.p),
  }).toEqual(whole);
});

test('a velocity, and in whose axes it is: of a twist those of its header, of an odometry those of the child', () => {
  const [linear, angular] = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const own = { sec: 3, nanosec: 999_999_999 };
  const start = (frameId: string): CdrWriter => new CdrWriter().start().header({ stamp: own, frameId });
  const plain = (read: typeof readTwistStamped, cdr: CdrWriter): unknown => {
    const found = read(Buffer.from(cdr.take()));
    return { ...found, linear: [...found.linear], angular: [...found.angular] };
  };
  const twist = start('base_link').float64s(linear).float64s(angular);
  expect(plain(readTwistStamped, twist)).toEqual({
    header: { stamp: own, frameId: 'base_link' },
    frameId: 'base_link',
    linear,
    angular,
  });
  const [pose, covariance] = [new Float64Array(7).fill(NaN), new Float64Array(36).fill(-1)];
  const odometry = start('odom').string('base_footprint').float64s(pose).float64s(covariance);
  odometry.float64s(linear).float64s(angular).float64s(covariance);
  expect(plain(readOdometryTwist, odometry)).toEqual({
    header: { stamp: own, frameId: 'odom' },
    frameId: 'base_footprint',
    linear,
    angular,
  });
});

test('a view of a larger array is written as the view', () => {
  const values = new Float32Array([9, 1, 2, 3, 4, 9]).subarray(1, 5);
  const image = floatImage(header, 1, 2, values);
  expect(image).toMatchObject({ encoding: '32FC2', step: 16 });
  const read = readImage(Buffer.from(writeImage(new CdrWriter().start(), image).take()));
  expect(Array.from(new Float32Array(new Uint8Array(read.data).buffer))).toEqual([1, 2, 3, 4]);
});

test('a message that ends too early, or is no plain CDR, throws', () => {
  const message = Buffer.from(new CdrWriter().start().uint32(5).take());
  const reader = new CdrReader(message);
  reader.uint32();
  expect(() => reader.uint8()).toThrow('ends inside a field');
  expect(() => new CdrReader(message.subarray(0, 3))).toThrow('has no header');
  expect(() => new CdrReader(Buffer.from([0, 7, 0, 0]))).toThrow('not plain CDR');
  // a length field that promises more than there is
  expect(() => new CdrReader(Buffer.from(new CdrWriter().start().uint32(1e6).take())).bytes()).toThrow('ends inside');
});

test('big-endian messages are read', () => {
  const reader = new CdrReader(Buffer.from('00000000' + '00000102', 'hex'));
  expect(reader.uint32()).toBe(0x102);
});
