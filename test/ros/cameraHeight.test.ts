/** Metric scale by the camera's height over real DDS: the network's answer to a picture of a road is a road, in a unit far from a metre. */
import { writeFileSync } from 'node:fs';
import { CAMERA, DepthNodeRig, encode, HEIGHT, IMAGE, INFO, stamped, WIDTH } from '../support/depthNode';
import { floats } from '../support/ros';
import { tinyModel } from '../support/tinyModel';

const CAMERA_INFO = '/depth_node/camera_info';
const rig = new DepthNodeRig();
afterEach(() => rig.stop());

/** In the model's unit. */
const UNITS = { white: 0.05, cameraHeight: 0.004 };
const METRES = 1.2;

test('a model whose unit is 300 m becomes metric, though all of it is nearer than min_range until then', async () => {
  writeFileSync(rig.model, tinyModel({ width: WIDTH, height: HEIGHT, metresAtWhite: UNITS.white }));
  await rig.start(
    ['scale_source:=camera_height', `camera_height:=${METRES}`, 'max_range:=14.0'].flatMap((one) => ['-p', one]),
    [
      `${IMAGE}=Image:pub`,
      `${INFO}=CameraInfo:pub`,
      '/depth_node/depth=Image:sub',
      `${CAMERA_INFO}=CameraInfo:sub`,
      '/depth_node/points=PointCloud2:sub',
    ],
  );
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA, width: WIDTH * 2, height: HEIGHT * 2 });
  await rig.publishUntilCameraInfo();
  const [, , , , fy, cy] = rig.peer.received(CAMERA_INFO)[0].k as number[];
  const road = (v: number): number => fy / (v - cy); // depth of a row, per height of the camera
  const rgb = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => {
    const v = Math.floor(i / 3 / WIDTH);
    const depth = v > cy ? UNITS.cameraHeight * road(v) : Infinity;
    return Math.round(255 * Math.min(1, depth / UNITS.white));
  });
  const publish = async (): Promise<Float32Array> =>
    floats((await rig.depthAt(await rig.publish(encode(rgb, WIDTH, 'rgb8')))).data as string);

  expect(new Set(await publish())).toEqual(new Set([-Infinity]));
  let depth: Float32Array = new Float32Array();
  for (let i = 0; i < 60; i++) depth = await publish();
  for (const v of [HEIGHT - 1, HEIGHT - 10]) expect(depth[v * WIDTH + 40] / (METRES * road(v))).toBeCloseTo(1, 1);

  // The sky, white, is beyond the range. The floor is no obstacle: all that is left of a road without anything on it is nothing.
  const points = async (): Promise<number> => {
    const stamp = await rig.publish(encode(rgb, WIDTH, 'rgb8'));
    return (await rig.peer.message('/depth_node/points', stamped(stamp))).width as number;
  };
  expect(await points()).toBeGreaterThan(1000);
  const remove = { node: '/depth_node', name: 'points_ground', value: 'remove' };
  expect(await rig.peer.command('set_parameter', remove)).toMatchObject({ successful: true });
  expect(await points()).toBe(0);

  // What it needs cannot be taken away while it runs.
  const set = { node: '/depth_node', name: 'camera_height', value: 0 };
  expect(await rig.peer.command('set_parameter', set)).toMatchObject({
    successful: false,
    reason: 'parameter camera_height: is 0.0; scale_source camera_height needs it, in metres',
  });
});
