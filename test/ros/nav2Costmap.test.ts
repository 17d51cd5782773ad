/** config/nav2_costmap.yaml: what Nav2 would make of it, against what Nav2's documentation says of its parameters and what depth_node publishes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CAMERA, DepthNodeRig, HEIGHT, IMAGE, INFO, WIDTH } from '../support/depthNode';
import { floats, ROOT } from '../support/ros';

type Value = string | number | boolean | string[];
type Section = Record<string, Value>;
interface Layer extends Section {
  plugin: string;
}
interface Costmap {
  [name: string]: Value | Layer;
  plugins: string[];
}

const file = parse(readFileSync(join(ROOT, 'config', 'nav2_costmap.yaml'), 'utf8')) as Record<
  string,
  Record<string, { ros__parameters: Costmap }> & { ros__parameters: Section }
>;
const costmapOf = (name: string): Costmap => file[name][name].ros__parameters;

/** docs.nav2.org, Costmap 2D and its plugins (kilted). A name that is not there is one that Nav2 does not read. */
const COSTMAP =
  'always_send_full_costmap footprint footprint_padding global_frame height width lethal_cost_threshold origin_x origin_y plugins filters publish_frequency resolution robot_base_frame robot_radius rolling_window track_unknown_space transform_tolerance trinary_costmap unknown_cost_value update_frequency use_maximum initial_transform_timeout';
const OBSTACLES =
  'enabled footprint_clearing_enabled min_obstacle_height max_obstacle_height combination_method observation_sources tf_filter_tolerance';
const LAYERS: Record<string, string> = {
  'nav2_costmap_2d::VoxelLayer': `${OBSTACLES} origin_z z_voxels z_resolution unknown_threshold mark_threshold publish_voxel_map`,
  'nav2_costmap_2d::ObstacleLayer': OBSTACLES,
  'nav2_costmap_2d::StaticLayer':
    'enabled subscribe_to_updates map_subscribe_transient_local transform_tolerance map_topic footprint_clearing_enabled restore_cleared_footprint',
  'nav2_costmap_2d::InflationLayer':
    'enabled inflation_radius cost_scaling_factor inflate_unknown inflate_around_unknown',
};
const SOURCE =
  'topic sensor_frame observation_persistence expected_update_rate data_type transport_type min_obstacle_height max_obstacle_height inf_is_valid marking clearing obstacle_max_range obstacle_min_range raytrace_max_range raytrace_min_range'.split(
    ' ',
  );

/** Layers that look at the cloud, and the source they call it. */
const sources = (name: string): { layer: Layer; source: Section }[] => {
  const costmap = costmapOf(name);
  return costmap.plugins
    .map((plugin) => costmap[plugin] as Layer)
    .filter((layer) => layer.observation_sources !== undefined)
    .flatMap((layer) =>
      (layer.observation_sources as string)
        .split(' ')
        .map((one) => ({ layer, source: layer[one] as unknown as Section })),
    );
};

describe.each([
  ['local_costmap', 'odom'],
  ['global_costmap', 'map'],
])('%s', (name, globalFrame) => {
  test('every name is one that Nav2 reads, and every layer is there', () => {
    const costmap = costmapOf(name);
    const known = [...COSTMAP.split(' '), ...costmap.plugins];
    expect(Object.keys(costmap).filter((key) => !known.includes(key))).toEqual([]);
    expect(costmap.plugins).toContain('inflation_layer');
    expect(costmap.plugins[costmap.plugins.length - 1]).toBe('inflation_layer'); // it inflates what the layers before it have marked
    for (const plugin of costmap.plugins) {
      const { plugin: type, ...rest } = costmap[plugin] as Layer;
      const own = String(rest.observation_sources ?? '').split(' ');
      expect(LAYERS).toHaveProperty([type]);
      expect(Object.keys(rest).filter((key) => ![...LAYERS[type].split(' '), ...own].includes(key))).toEqual([]);
    }
  });

  test('the frames are those of REP 105, the robot is larger than a point, and what is near is inflated', () => {
    const { global_frame, robot_base_frame, robot_radius, inflation_layer, rolling_window } = costmapOf(name);
    expect({ global_frame, robot_base_frame }).toEqual({ global_frame: globalFrame, robot_base_frame: 'base_link' });
    expect((inflation_layer as Layer).inflation_radius).toBeGreaterThan(robot_radius as number);
    if (rolling_window !== true) expect(costmapOf(name).plugins[0]).toBe('static_layer'); // else nothing gives its size
  });

  test("the cloud marks and clears: none of Nav2's defaults hides it", () => {
    const found = sources(name);
    expect(found).toHaveLength(2);
    for (const { source } of found) {
      expect(Object.keys(source).filter((key) => !SOURCE.includes(key))).toEqual([]);
      expect(source).toMatchObject({ topic: '/depth_node/points', data_type: 'PointCloud2' });
    }
    const [{ layer, source: marks }, { source: clears }] = found;
    const value = (source: Section, key: string): number => source[key] as number;
    // defaults: true, false, 0.0, 2.5, 3.0
    expect([marks.marking, marks.clearing, clears.marking, clears.clearing]).toEqual([true, false, false, true]);
    expect(value(marks, 'max_obstacle_height')).toBeGreaterThan(value(marks, 'min_obstacle_height'));
    expect(value(marks, 'min_obstacle_height')).toBeGreaterThan(0); // the road is in the cloud
    const ofLayer = (layer.max_obstacle_height as number | undefined) ?? 2;
    expect(ofLayer).toBeGreaterThanOrEqual(value(marks, 'max_obstacle_height'));
    expect(value(marks, 'obstacle_max_range')).toBeGreaterThan(2.5);
    // default 0.0: Nav2 would drive on by what was seen last when the clouds stay out
    for (const { source } of found) expect(value(source, 'expected_update_rate')).toBeGreaterThan(0);
    // Nav2 drops what is outside of a source's heights before it clears by it: the floor has to be inside.
    expect(value(clears, 'min_obstacle_height')).toBeLessThan(-1);
    expect(value(clears, 'raytrace_max_range')).toBeGreaterThan(value(marks, 'obstacle_max_range'));
  });
});

test('the voxels reach as high as the obstacles that are looked at, and are fine enough that a low one is seen', () => {
  const [voxels, ...others] = sources('local_costmap').filter(({ source }) => source.marking === true);
  expect(others).toEqual([]);
  expect(voxels.layer.plugin).toBe('nav2_costmap_2d::VoxelLayer');
  const { z_voxels, z_resolution, origin_z, mark_threshold } = voxels.layer as unknown as Record<string, number>;
  const { min_obstacle_height: least, max_obstacle_height: most } = voxels.source as Record<string, number>;
  expect(z_voxels).toBeLessThanOrEqual(16);
  expect(origin_z + z_voxels * z_resolution).toBeGreaterThanOrEqual(most);
  // Marked are columns with MORE voxels than the threshold: of what stands .4 m high, those between the least height and its top.
  const [from, to] = [least, 0.4].map((height) => Math.floor((height - origin_z) / z_resolution));
  expect(to - from + 1).toBeGreaterThan(mark_threshold);
});

test('what is to be written for a base_link above the ground, and for a camera above the voxels, goes by the values that are there', () => {
  const comments = readFileSync(join(ROOT, 'config', 'nav2_costmap.yaml'), 'utf8').replace(/\n *# ?/g, ' ');
  const said = (pattern: RegExp): number => Number(pattern.exec(comments)?.[1]);
  for (const { source } of ['local_costmap', 'global_costmap']
    .flatMap(sources)
    .filter(({ source }) => source.marking)) {
    expect(said(/min_obstacle_height: (\d+\.\d+) - h/)).toBe(source.min_obstacle_height);
    expect(said(/max_obstacle_height: (\d+\.\d+) - h/)).toBe(source.max_obstacle_height);
  }
  const { z_voxels, z_resolution, origin_z, mark_threshold } = sources('local_costmap')[0].layer as unknown as Record<
    string,
    number
  >;
  expect(origin_z).toBe(0); // of h = 0
  expect(said(/one (\d+\.\d+) m or more above origin_z/)).toBe(z_voxels * z_resolution); // nav2_costmap_2d::VoxelLayer::worldToMap3DFloat
  const [camera, coarser] = [said(/at (\d+\.\d+) m say/), said(/wants z_resolution: (\d+\.\d+)/)];
  expect([camera > z_voxels * z_resolution, camera < z_voxels * coarser]).toEqual([true, true]);
  const [from, to] = [0.3, 0.4].map((height) => Math.floor(height / coarser));
  expect(to - from + 1).toBeGreaterThan(mark_threshold);
});

test('what is a double to Nav2 is written with a point: whole numbers are integers, which it refuses', () => {
  const text = readFileSync(join(ROOT, 'config', 'nav2_costmap.yaml'), 'utf8');
  const doubles =
    /^ *(?:\w*(?:obstacle_height|range|radius|frequency|tolerance|factor|rate|persistence|resolution)|origin_z): (\S+)/gm;
  const written = [...text.matchAll(doubles)].map(([, value]) => value); // YAML's parser keeps no trace of it
  expect(written.length).toBeGreaterThan(30);
  expect(written.filter((value) => !/^-?\d+\.\d+$/.test(value))).toEqual([]);
});

test('the laser scan is of ranges that a costmap takes', () => {
  const { range_min, range_max, scan_height } = file.depthimage_to_laserscan.ros__parameters as Record<string, number>;
  expect([range_min < range_max, scan_height < 10, range_max > 2.5]).toEqual([true, true, true]);
});

const rig = new DepthNodeRig();
afterEach(() => rig.stop());

test("depth_node's clouds come on the topic that both costmaps name, to a subscriber with sensor data's quality of service", async () => {
  const [topic, ...others] = new Set(
    ['local_costmap', 'global_costmap'].map((name) => sources(name)[0].source.topic as string),
  );
  expect(others).toEqual([]);
  await rig.start(
    ['-p', 'points_color:=false'],
    [
      `${IMAGE}=Image:pub`,
      `${INFO}=CameraInfo:pub`,
      '/depth_node/depth=Image:sub',
      '/depth_node/camera_info=CameraInfo:sub',
      `${topic}=PointCloud2:best_effort_sub`,
    ],
  );
  await rig.peer.command('camera_info', { topic: INFO, ...CAMERA, width: WIDTH * 2, height: HEIGHT * 2 });
  await rig.publishUntilCameraInfo();
  while (rig.peer.received(topic).length === 0) await rig.depthAt(await rig.publish());
  const cloud = await rig.peer.message(topic);
  expect(cloud).toMatchObject({ frameId: 'front_optical', isDense: true }); // tf finds the camera by it: no sensor_frame
  const distances = floats(cloud.data as string).filter((_, i) => i % 3 === 2);
  expect(distances.length).toBeGreaterThan(0);
  expect(distances.every((z) => z > 0 && z < 80)).toBe(true);
});
