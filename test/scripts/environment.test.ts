import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '../..');

/** Prints variables after env.sh was sourced in a shell with the given ones. */
function sourced(variables: NodeJS.ProcessEnv, print: string): string {
  const script = `source ${root}/scripts/env.sh; ${print}`;
  return execFileSync('bash', ['-euc', script], { env: { ...process.env, ...variables }, encoding: 'utf8' }).trim();
}

test('env.sh keeps the domain, middleware and Fast DDS profile of the user', () => {
  const variables = {
    ROS_DOMAIN_ID: '42',
    RMW_IMPLEMENTATION: 'rmw_cyclonedds_cpp',
    FASTDDS_DEFAULT_PROFILES_FILE: '/my.xml',
  };
  expect(sourced(variables, 'echo $ROS_DOMAIN_ID $RMW_IMPLEMENTATION $FASTDDS_DEFAULT_PROFILES_FILE')).toBe(
    '42 rmw_cyclonedds_cpp /my.xml',
  );
});

test.each([
  ['humble', 'FASTRTPS_DEFAULT_PROFILES_FILE'],
  ['jazzy', 'FASTRTPS_DEFAULT_PROFILES_FILE'],
  ['kilted', 'FASTDDS_DEFAULT_PROFILES_FILE'],
])("env.sh sets our Fast DDS profile by the name that %s's Fast DDS reads, unless one is set", (distribution, name) => {
  const other = { FASTDDS_DEFAULT_PROFILES_FILE: '', FASTRTPS_DEFAULT_PROFILES_FILE: '' };
  const print = 'env | grep ^FAST.*=/ || true';
  const ros = { AMENT_PREFIX_PATH: join(root, 'no-ros'), ROS_DISTRO: distribution }; // as if one were sourced
  expect(sourced({ ...other, ...ros }, print)).toBe(`${name}=${root}/config/fastdds_shm.xml`);
  for (const own of Object.keys(other))
    expect(sourced({ ...other, ...ros, [own]: '/my.xml' }, print)).toBe(`${own}=/my.xml`);
});

test('env.sh can be sourced again without growing the paths', () => {
  const print = 'echo "$PATH|$LD_LIBRARY_PATH|$AMENT_PREFIX_PATH|$PYTHONPATH"';
  expect(sourced({}, `source ${root}/scripts/env.sh; ${print}`)).toBe(sourced({}, print));
});

test('an rclpy process and a Node process exchange a depthgrad message over DDS', async () => {
  const environment = JSON.parse(sourced({}, 'node -p "JSON.stringify(process.env)"')) as NodeJS.ProcessEnv;
  environment.ROS_DOMAIN_ID = String(100 + (process.pid % 100));
  const publish = `
import rclpy
from depthgrad.msg import EgoMotion
rclpy.init()
node = rclpy.create_node('publisher')
message = EgoMotion(scale=1.5, scale_source=EgoMotion.SCALE_VELOCITY)
message.header.frame_id = 'camera_optical'
message.pose.pose.position.z = 0.75
publisher = node.create_publisher(EgoMotion, 'ego_motion', 10)
node.create_timer(0.1, lambda: publisher.publish(message))
rclpy.spin(node)`;
  const receive = `
const ros = require('rclnodejs');
ros.init().then(() => {
  const node = new ros.Node('subscriber');
  node.createSubscription('depthgrad/msg/EgoMotion', 'ego_motion', (m) => {
    console.log(JSON.stringify([m.header.frame_id, m.pose.pose.position.z, m.scale, m.scale_source]));
    process.exit(0);
  });
  ros.spin(node);
});`;
  const publisher = spawn(environment.DEPTHGRAD_PYTHON as string, ['-c', publish], {
    env: environment,
    stdio: 'inherit',
  });
  try {
    const { stdout } = spawnSync('node', ['-e', receive], {
      cwd: root,
      env: environment,
      encoding: 'utf8',
      timeout: 20000,
    });
    expect(stdout.trim()).toBe('["camera_optical",0.75,1.5,2]');
  } finally {
    publisher.kill('SIGKILL');
    await new Promise((resolve) => publisher.once('close', resolve));
  }
});
