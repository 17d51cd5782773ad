/** The launch files, run against stand-ins of launch and launch_ros (test/ros/launch_stand_in/README.md says why). */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../support/ros';

type Parameters = Record<string, { value: string | number | boolean }>;

/** A node's parameter table, from a process of its own: rclnodejs does not load inside Jest. */
function parameterTable(file: string, name: string): Parameters {
  const program = `process.stdout.write(JSON.stringify(require('./dist/src/nodes/${file}.js').${name}))`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', program], { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Parameters;
}

const DEPTH_PARAMETERS = parameterTable('depthParameters', 'DEPTH_PARAMETERS');
const REPLAY_PARAMETERS = parameterTable('replayParameters', 'REPLAY_PARAMETERS');
const ADAPTATION_PARAMETERS = parameterTable('adaptationParameters', 'ADAPTATION_PARAMETERS');
const DASHBOARD_PARAMETERS = parameterTable('dashboardParameters', 'DASHBOARD_PARAMETERS');
const MODEL_SENDER_PARAMETERS = parameterTable('modelSenderParameters', 'MODEL_SENDER_PARAMETERS');

interface LaunchedNode {
  package: string;
  executable: string;
  namespace: string | null;
  parameterFiles: string[];
  parameters: Record<string, string | number | boolean>;
  /** Parameters with a stated type; launch guesses that of the others from their text. */
  typed: string[];
  remappings: [string, string][];
  arguments: string[];
  endsLaunch: boolean;
}

interface Launched {
  arguments: [string, string][];
  nodes: LaunchedNode[];
  logs: string[];
  environment: Record<string, string>;
}

interface LaunchOptions {
  packages?: string;
  environment?: Record<string, string>;
}

function run(file: string, given: string[], { packages = `depthgrad=${ROOT}`, environment = {} }: LaunchOptions) {
  const env = { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1', LAUNCH_TEST_PACKAGES: packages, ...environment };
  const script = join(ROOT, 'test', 'ros', 'launchFile.py');
  return spawnSync('python3', [script, join(ROOT, 'launch', file), ...given], { env, encoding: 'utf8' });
}

function launch(file: string, given: string[] = [], options: LaunchOptions = {}): Launched {
  const { stdout, stderr, status } = run(file, given, options);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Launched;
}

const executables = ({ nodes }: Launched): string[] => nodes.map((node) => `${node.package}/${node.executable}`);
const nodeOf = ({ nodes }: Launched, executable: string): LaunchedNode =>
  nodes.find((node) => node.executable === executable)!;
const parameterFile = join(ROOT, 'config', 'camera.yaml');

const layout = readFileSync(join(ROOT, 'rviz', 'depthgrad.rviz'), 'utf8');
const fixedFrame = /Fixed Frame: (\S+)/.exec(layout)![1];

describe('camera.launch.py', () => {
  const FILE = 'camera.launch.py';

  test('declares its arguments, each with a description', () => {
    const { arguments: declared } = launch(FILE);
    expect(declared.map(([name]) => name)).toEqual(
      expect.arrayContaining(
        'namespace image camera_info params_file model use_sim_time adaptation dashboard rviz driver video_device source'.split(
          ' ',
        ),
      ),
    );
    for (const [, description] of declared) expect(description.length).toBeGreaterThan(5);
  });

  test('by default starts the depth node alone, with the documented parameters, where no driver is installed', () => {
    const launched = launch(FILE);
    expect(executables(launched)).toEqual(['depthgrad/depth_node']);
    expect(nodeOf(launched, 'depth_node')).toMatchObject({
      namespace: '',
      parameterFiles: [parameterFile],
      parameters: { model: join(ROOT, 'models', 'default.onnx'), autostart: true, use_sim_time: false },
      remappings: [
        ['image', '/camera/image_raw'],
        ['camera_info', '/camera/camera_info'],
      ],
    });
    expect(existsSync(parameterFile)).toBe(true);
    expect(launched.logs).toEqual([]);
  });

  test('every argument reaches the nodes', () => {
    const given = {
      namespace: 'front',
      image: '/a/image',
      camera_info: '/a/info',
      params_file: '/p.yaml',
      model: '/m.onnx',
      use_sim_time: 'true',
      autostart: 'false',
      rviz: 'true',
      rviz_frame: 'front_optical',
      driver: 'replay',
      source: '/v.mp4',
      calibration: '/c.yaml',
    };
    const launched = launch(
      FILE,
      Object.entries(given).map(([name, value]) => `${name}:=${value}`),
    );
    expect(executables(launched)).toEqual(['depthgrad/replay_node', 'depthgrad/depth_node', 'rviz2/rviz2']);
    const shared = {
      namespace: 'front',
      parameterFiles: ['/p.yaml'],
      remappings: [
        ['image', '/a/image'],
        ['camera_info', '/a/info'],
      ],
    };
    expect(nodeOf(launched, 'depth_node')).toMatchObject({
      ...shared,
      parameters: { model: '/m.onnx', autostart: false, use_sim_time: true },
    });
    expect(nodeOf(launched, 'replay_node')).toMatchObject({
      ...shared,
      parameters: { source: '/v.mp4', camera_info: '/c.yaml', use_sim_time: true },
    });
    const [, file, ...frame] = nodeOf(launched, 'rviz2').arguments;
    expect(existsSync(file)).toBe(true);
    expect(frame).toEqual(['-f', 'front_optical']);
  });

  test.each([
    ['/front/image_raw', '/front/camera_info'],
    ['image_raw', 'camera_info'],
    ['/image', '/camera_info'],
  ])('without camera_info, %s has %s beside it', (image, cameraInfo) => {
    expect(nodeOf(launch(FILE, [`image:=${image}`]), 'depth_node').remappings).toEqual([
      ['image', image],
      ['camera_info', cameraInfo],
    ]);
  });

  test('file names that look like numbers stay names', () => {
    const launched = launch(FILE, ['model:=007', 'driver:=replay', 'source:=12', 'calibration:=1.5']);
    expect(nodeOf(launched, 'depth_node').typed).toContain('model');
    expect(nodeOf(launched, 'replay_node').typed).toEqual(expect.arrayContaining(['source', 'camera_info']));
  });

  test('starts v4l2_camera where it is asked for, never beside a driver that runs already', () => {
    const packages = `depthgrad=${ROOT},v4l2_camera=/opt/v4l2_camera`;
    const given = ['driver:=v4l2', 'video_device:=/dev/video3', 'camera_info_url:=file:///webcam.yaml'];
    const launched = launch(FILE, given, { packages });
    expect(executables(launched)).toEqual(['v4l2_camera/v4l2_camera_node', 'depthgrad/depth_node']);
    expect(nodeOf(launched, 'v4l2_camera_node')).toMatchObject({
      parameters: {
        video_device: '/dev/video3',
        camera_frame_id: fixedFrame,
        camera_info_url: 'file:///webcam.yaml',
      },
      remappings: [
        ['image_raw', '/camera/image_raw'],
        ['camera_info', '/camera/camera_info'],
      ],
    });
    expect(executables(launch(FILE, ['image:=/camera/image_raw'], { packages }))).toEqual(['depthgrad/depth_node']);
    const wrong = run(FILE, ['driver:=gstreamer'], {});
    expect(wrong.status).not.toBe(0);
    expect(wrong.stderr).toContain('gstreamer');
  });

  test('adaptation:=true starts the adaptation node on the same camera and model', () => {
    const launched = launch(FILE, ['adaptation:=true', 'namespace:=front', 'model:=/m.onnx', 'adaptation_source:=7']);
    expect(executables(launched)).toEqual(['depthgrad/depth_node', 'depthgrad/adaptation_node']);
    const adaptation = nodeOf(launched, 'adaptation_node');
    const depth = nodeOf(launched, 'depth_node');
    expect(adaptation).toMatchObject({ namespace: 'front', parameterFiles: [parameterFile] });
    expect(adaptation.parameters).toEqual({ model: '/m.onnx', source: '7', use_sim_time: false });
    expect(adaptation.typed).toContain('source');
    expect(adaptation.remappings).toEqual(depth.remappings);
    const bySource = launch(FILE, ['adaptation:=1', 'model:=/m.onnx']);
    // A source of params_file is not overridden by one that was not given.
    expect(nodeOf(bySource, 'adaptation_node').parameters).toEqual({ model: '/m.onnx', use_sim_time: false });
    expect(executables(bySource)).toEqual(executables(launched));
    for (const name of Object.keys(adaptation.parameters))
      expect([...Object.keys(ADAPTATION_PARAMETERS), 'use_sim_time']).toContain(name);
  });

  test('dashboard:=true starts the dashboard of the same camera and namespace', () => {
    const launched = launch(FILE, ['dashboard:=true', 'namespace:=front', 'image:=/front/image', 'use_sim_time:=true']);
    expect(executables(launched)).toEqual(['depthgrad/depth_node', 'depthgrad/dashboard_node']);
    const dashboard = nodeOf(launched, 'dashboard_node');
    expect(dashboard).toMatchObject({ namespace: 'front', parameterFiles: [parameterFile], endsLaunch: false });
    expect(dashboard.parameters).toEqual({ use_sim_time: true });
    expect(dashboard.remappings).toEqual([['image', '/front/image']]);
  });
});

describe('camera.launch.py, several cameras', () => {
  const FILE = 'camera.launch.py';

  test('a depth node for each, in its namespace, on its image_raw; they share the threads', () => {
    const launched = launch(FILE, ['cameras:=front,rear', 'namespace:=robot', 'threads:=5', 'model:=/m.onnx']);
    expect(executables(launched)).toEqual(['depthgrad/depth_node', 'depthgrad/depth_node']);
    for (const [i, name] of ['front', 'rear'].entries()) {
      expect(launched.nodes[i]).toMatchObject({
        namespace: `robot/${name}`,
        parameterFiles: [parameterFile],
        parameters: { model: '/m.onnx', use_sim_time: false, threads: 2 },
        remappings: [
          ['image', 'image_raw'],
          ['camera_info', 'camera_info'],
        ],
      });
    }
    // One owner of odom -> base_link, whatever params_file says.
    expect(launched.nodes[0].parameters).not.toHaveProperty('publish_tf');
    expect(launched.nodes[1].parameters.publish_tf).toBe(false);
    const many = launch(FILE, ['cameras:=a,b,c', 'threads:=2', 'image:=cam/image', 'camera_info:=cam/info']);
    expect(many.nodes.map(({ namespace, parameters }) => [namespace, parameters.threads])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
    expect(many.nodes[2].remappings).toEqual([
      ['image', 'cam/image'],
      ['camera_info', 'cam/info'],
    ]);
  });

  test('without threads: the cores of the machine for several, what params_file says for one', () => {
    const shared = Math.max(1, Math.floor(availableParallelism() / 2));
    expect(launch(FILE, ['cameras:=front,rear']).nodes.map(({ parameters }) => parameters.threads)).toEqual([
      shared,
      shared,
    ]);
    expect(nodeOf(launch(FILE), 'depth_node').parameters).not.toHaveProperty('threads');
    expect(nodeOf(launch(FILE, ['cameras:=front']), 'depth_node')).toMatchObject({ namespace: 'front' });
    expect(nodeOf(launch(FILE, ['cameras:=front']), 'depth_node').parameters).not.toHaveProperty('threads');
    expect(nodeOf(launch(FILE, ['threads:=3']), 'depth_node').parameters.threads).toBe(3);
    expect(nodeOf(launch(FILE, ['threads:=256']), 'depth_node').parameters.threads).toBe(64); // what the parameter takes
  });

  test('no driver is started for them; adaptation for each, one window for the first', () => {
    const packages = `depthgrad=${ROOT},v4l2_camera=/opt/v4l2_camera`;
    const launched = launch(FILE, ['cameras:=front,rear', 'adaptation:=true', 'rviz:=true'], { packages });
    expect(executables(launched)).toEqual([
      'depthgrad/depth_node',
      'depthgrad/adaptation_node',
      'depthgrad/depth_node',
      'depthgrad/adaptation_node',
      'rviz2/rviz2',
    ]);
    expect(launched.nodes.map(({ namespace }) => namespace)).toEqual(['front', 'front', 'rear', 'rear', 'front']);
    expect(nodeOf(launched, 'rviz2').remappings).toContainEqual(['/camera/image_raw', 'image_raw']);
  });

  test.each([
    ['cameras:=front,front', 'names a camera twice'],
    ['cameras:=front camera', 'cannot be a namespace'],
    ['cameras:=2nd', 'cannot be a namespace'],
  ])('%s is refused', (given, message) => {
    const { status, stderr } = run(FILE, [given], {});
    expect(status).not.toBe(0);
    expect(stderr).toContain(message);
  });

  test('an absolute image topic would be one for all', () => {
    const { status, stderr } = run(FILE, ['cameras:=front,rear', 'image:=/camera/image_raw'], {});
    expect(status).not.toBe(0);
    expect(stderr).toContain('/camera/image_raw would be the same topic for every camera');
  });
});

describe('replay.launch.py', () => {
  const FILE = 'replay.launch.py';

  test('needs a source and plays it through the depth node; its end ends the launch', () => {
    const without = run(FILE, [], {});
    expect(without.status).not.toBe(0);
    expect(without.stderr).toContain('source');

    const launched = launch(FILE, ['source:=/v.mp4', 'rate:=2', 'loop:=true', 'start:=3', 'namespace:=n']);
    expect(executables(launched)).toEqual(['depthgrad/depth_node', 'depthgrad/replay_node']);
    const replay = nodeOf(launched, 'replay_node');
    expect(replay).toMatchObject({ namespace: 'n', parameterFiles: [parameterFile], endsLaunch: true });
    expect(replay.parameters).toMatchObject({ source: '/v.mp4', rate: 2, loop: true, start: 3, use_sim_time: false });
    expect(replay.remappings).toEqual(nodeOf(launched, 'depth_node').remappings);
  });

  test('plays chosen topics of a bag and its time, on which the nodes run', () => {
    const options = [
      'topics:=/front/image_raw,/tf_static',
      'clock:=50',
      'image:=/front/image_raw',
      'use_sim_time:=true',
    ];
    const launched = launch(FILE, ['source:=/my_drive', ...options]);
    const replay = nodeOf(launched, 'replay_node');
    const played = { source: '/my_drive', topics: '/front/image_raw,/tf_static', clock: 50, use_sim_time: true };
    expect(replay.parameters).toMatchObject(played);
    expect(replay.typed).toEqual(expect.arrayContaining(['topics', 'clock']));
    const depth = nodeOf(launched, 'depth_node');
    expect(depth.parameters.use_sim_time).toBe(true);
    expect(depth.remappings).toContainEqual(['image', '/front/image_raw']);
    expect(nodeOf(launch(FILE, ['source:=/v.mp4']), 'replay_node').parameters).toMatchObject({ topics: '', clock: 0 });
  });

  test('every parameter it sets is one the nodes have', () => {
    const launched = launch(FILE, ['source:=/v.mp4']);
    for (const name of Object.keys(nodeOf(launched, 'replay_node').parameters)) {
      expect([...Object.keys(REPLAY_PARAMETERS), 'use_sim_time']).toContain(name);
    }
    for (const name of Object.keys(nodeOf(launched, 'depth_node').parameters)) {
      expect([...Object.keys(DEPTH_PARAMETERS), 'use_sim_time']).toContain(name);
    }
  });
});

describe.each(['camera.launch.py', 'replay.launch.py'])('%s, the shared-memory profile', (file) => {
  const names = ['FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'];

  test.each([
    ['humble', names[0]],
    ['jazzy', names[0]],
    ['kilted', names[1]],
  ])('on %s is set as %s, the one that its Fast DDS reads', (distribution, name) => {
    const environment = { ROS_DISTRO: distribution };
    const set = launch(file, ['source:=/v.mp4'], { environment }).environment;
    expect(Object.keys(set)).toEqual([name]);
    expect(existsSync(set[name])).toBe(true);
  });

  test.each(names)('is the own one where %s is set', (name) => {
    for (const distribution of ['humble', 'kilted']) {
      const environment = { ROS_DISTRO: distribution, [name]: '/own.xml' };
      expect(launch(file, ['source:=/v.mp4'], { environment }).environment).toEqual({});
    }
  });
});

test('config/camera.yaml holds every parameter of the nodes with its default', () => {
  const file = parse(readFileSync(parameterFile, 'utf8')) as Record<string, { ros__parameters: object }>;
  const defaults = (specs: Parameters): object =>
    Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, spec.value]));
  expect(file.depth_node.ros__parameters).toEqual(defaults(DEPTH_PARAMETERS));
  expect(file.replay_node.ros__parameters).toEqual(defaults(REPLAY_PARAMETERS));
  expect(file.adaptation_node.ros__parameters).toEqual(defaults(ADAPTATION_PARAMETERS));
  expect(file.dashboard_node.ros__parameters).toEqual(defaults(DASHBOARD_PARAMETERS));
  expect(file.model_sender_node.ros__parameters).toEqual(defaults(MODEL_SENDER_PARAMETERS));
});

test.each(['camera.launch.py', 'replay.launch.py'])(
  'in %s RViz shows topics the nodes publish, in any namespace',
  (file) => {
    const shown = [...layout.matchAll(/(?:Value|Map Topic): (\/\S+)/g)].map(([, topic]) => topic);
    expect(shown).toEqual(['/camera/image_raw', '/depth_node/depth', '/depth_node/confidence', '/depth_node/depth']);
    const { namespace, remappings } = nodeOf(
      launch(file, ['source:=/v.mp4', 'rviz:=true', 'namespace:=front', 'image:=/left/image']),
      'rviz2',
    );
    const topicOf = (topic: string): string => {
      const remapped = new Map(remappings).get(topic) ?? topic;
      return remapped.startsWith('/') ? remapped : `/${namespace}/${remapped}`;
    };
    expect([...shown, '/depth_node/camera_info'].map(topicOf)).toEqual([
      '/left/image',
      '/front/depth_node/depth',
      '/front/depth_node/confidence',
      '/front/depth_node/depth',
      '/front/depth_node/camera_info', // of the depth cloud: the sibling of its depth topic
    ]);
  },
);

test('RViz has the frame of the images', () => {
  expect(REPLAY_PARAMETERS.frame_id.value).toBe(fixedFrame);
});
