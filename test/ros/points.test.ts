/** ~/points over real DDS, read by rclpy: against the depth map and camera_info of the same stamp. */
import { CAMERA, DepthNodeRig, HEIGHT, IMAGE, INFO, picture, stamped, WIDTH } from '../support/depthNode';
import { floats, type PeerMessage } from '../support/ros';

const TOPICS = [
  `${IMAGE}=Image:pub`,
  `${INFO}=CameraInfo:pub`,
  '/depth_node/depth=Image:sub',
  '/depth_node/camera_info=CameraInfo:sub',
  '/depth_node/points=PointCloud2:sub',
];
const rig = new DepthNodeRig();
afterEach(() => rig.stop());

/** Depth, camera_info and points of one picture. */
async function see(
  camera = CAMERA,
): Promise<{ depth: Float32Array; p: number[]; cloud: PeerMessage; rgb: Uint8Array }> {
  await rig.peer.command('camera_info', { topic: INFO, ...camera, width: WIDTH * 2, height: HEIGHT * 2 });
  await rig.publishUntilCameraInfo();
  const rgb = picture(WIDTH, HEIGHT, 5);
  const stamp = await rig.publish({ data: Buffer.from(rgb).toString('base64') });
  const depth = floats((await rig.depthAt(stamp)).data as string);
  const { p } = await rig.peer.message('/depth_node/camera_info', stamped(stamp));
  return { depth, p: p as number[], cloud: await rig.peer.message('/depth_node/points', stamped(stamp)), rgb };
}

test('the points are the depth map seen through camera_info, without the sky, in the colours of the picture', async () => {
  await rig.start(['-p', 'max_range:=60.0'], TOPICS);
  const { depth, p, cloud, rgb } = await see();
  const there = [...depth.keys()].filter((i) => Number.isFinite(depth[i]));
  expect(there.length).toBeGreaterThan(100);
  expect(there.length).toBeLessThan(depth.length);
  expect(cloud).toMatchObject({ frameId: 'front_optical', height: 1, width: there.length, isDense: true });
  expect(cloud.fields).toEqual([
    ['x', 0, 7, 1],
    ['y', 4, 7, 1],
    ['z', 8, 7, 1],
    ['rgb', 12, 7, 1],
  ]);
  const bytes = Buffer.from(cloud.data as string, 'base64');
  for (const [point, i] of there.entries()) {
    const [x, y, z] = [0, 4, 8].map((offset) => bytes.readFloatLE(16 * point + offset));
    expect(z).toBe(depth[i]);
    expect((x / z) * p[0] + p[2]).toBeCloseTo(i % WIDTH, 3);
    expect((y / z) * p[5] + p[6]).toBeCloseTo(Math.floor(i / WIDTH), 3);
    const [b, g, r] = [0, 1, 2].map((offset) => bytes[16 * point + 12 + offset]);
    expect([r, g, b]).toEqual([...rgb.subarray(3 * i, 3 * i + 3)]);
  }
});

test('organised, with a stride and without colours', async () => {
  const options = ['points_stride:=3', 'points_organised:=true', 'points_color:=false', 'max_range:=60.0'];
  await rig.start(
    options.flatMap((option) => ['-p', option]),
    TOPICS,
  );
  const { depth, cloud } = await see();
  const [rows, columns] = [Math.ceil(HEIGHT / 3), Math.ceil(WIDTH / 3)];
  expect(cloud).toMatchObject({ height: rows, width: columns, isDense: false, steps: [12, 12 * columns] });
  const points = floats(cloud.data as string);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const expected = depth[3 * row * WIDTH + 3 * column];
      expect(points[3 * (row * columns + column) + 2]).toBe(Number.isFinite(expected) ? expected : NaN);
    }
});

test.each([
  ['zero', new Array<number>(12).fill(0)],
  ['that of another view', [150, 0, 90, 0, 0, 150, 62, 0, 0, 0, 1, 0]],
])('no distortion and a P that is %s: depth_image_proc makes of P the same points', async (_, p) => {
  await rig.start(['-p', 'points_organised:=true', '-p', 'points_color:=false', '-p', 'max_range:=1000.0'], TOPICS);
  const { depth, p: published, cloud } = await see({ ...CAMERA, p });
  expect(published[0]).toBeCloseTo((p[0] || CAMERA.k[0]) / 2, 9);
  // PointCloudXyz of depth_image_proc: fx, fy, cx, cy of P
  const points = floats(cloud.data as string);
  let known = 0;
  for (let i = 0; i < depth.length; i++) {
    if (!Number.isFinite(depth[i])) continue;
    known++;
    const [x, y] = [(i % WIDTH) - published[2], Math.floor(i / WIDTH) - published[6]];
    expect(Math.abs(points[3 * i] - (x * depth[i]) / published[0])).toBeLessThan(1e-3);
    expect(Math.abs(points[3 * i + 1] - (y * depth[i]) / published[5])).toBeLessThan(1e-3);
  }
  expect(known).toBeGreaterThan(0.9 * depth.length);
});
