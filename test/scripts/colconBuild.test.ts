/**
 * What colcon builds and installs, by the real CMakeLists.txt and cmake/nodes.cmake: its target `nodes`, with the packages of this checkout as if
 * set-up had just put them into the build folder. The messages, which are CMake's and rosidl's work, are not compiled here.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../..');
// beside node_modules, whose files are linked, not copied: links do not reach over to another file system
mkdirSync(join(root, 'build'), { recursive: true });
const build = mkdtempSync(join(root, 'build', 'colcon-test-'));
const installed = join(build, 'installed_js');
afterAll(() => rmSync(build, { recursive: true, force: true }));

const inEnvironment = (script: string): string =>
  execFileSync('bash', ['-ec', `. ${root}/scripts/env.sh; ${script}`], { encoding: 'utf8', stdio: 'pipe' });

const hiddenLock = join(build, 'js/node_modules/.package-lock.json');
let lockSize: number;

beforeAll(() => {
  execFileSync('bash', [join(root, 'scripts/setup.sh')], { stdio: 'ignore' });
  inEnvironment(`
    if [ "$DG_ROS_KIND" = wheels ]; then python=$DG_PYTHON; else python=$(command -v python3); fi
    cmake -S ${root} -B ${build} -DBUILD_TESTING=OFF -DPython3_EXECUTABLE="$python"
    mkdir -p ${build}/js
    cp -al ${root}/node_modules ${build}/js/
    cp --remove-destination ${root}/node_modules/.package-lock.json ${root}/node_modules/.depthgrad ${build}/js/node_modules/`);
  lockSize = statSync(hiddenLock).size;
  inEnvironment(`cmake --build ${build} --target nodes`);
}, 300_000);

test('what is installed runs: the compiled kernels and the packages of the nodes are there, those of the developers are not', () => {
  const load = "require(process.argv[1] + '/dist/src/native.js'); require(process.argv[1] + '/node_modules/rclnodejs')";
  inEnvironment(`node -e "${load}" ${installed}`);
  for (const name of ['onnxruntime-node', 'sharp', 'depthgrad-native', '@tensorflow/tfjs-node-gpu/lib/napi-v8'])
    expect([name, existsSync(join(installed, 'node_modules', name))]).toEqual([name, true]);
  for (const name of ['jest', 'eslint', 'typescript'])
    expect([name, existsSync(join(installed, 'node_modules', name))]).toEqual([name, false]);
});

test.each([
  ['humble', 'FASTRTPS_DEFAULT_PROFILES_FILE'],
  ['jazzy', 'FASTRTPS_DEFAULT_PROFILES_FILE'],
  ['kilted', 'FASTDDS_DEFAULT_PROFILES_FILE'],
])('on %s an installed node sets our Fast DDS profile as %s, unless one is set', (distribution, name) => {
  // the node's own start script, with a `node` that shows what it was given
  const bin = join(build, `bin-${distribution}`);
  mkdirSync(bin);
  writeFileSync(join(bin, 'node'), '#!/bin/sh\nenv | grep ^FAST\n', { mode: 0o755 });
  const start = (given: NodeJS.ProcessEnv): string => {
    const env = { PATH: `${bin}:/usr/bin:/bin`, ROS_DISTRO: distribution, ...given };
    return execFileSync('sh', [join(build, 'depth_node')], { env, encoding: 'utf8' }).trim();
  };
  expect(start({})).toMatch(new RegExp(`^${name}=/.*/share/depthgrad/config/fastdds_shm.xml$`));
  for (const own of ['FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'])
    expect(start({ [own]: '/my.xml' })).toBe(`${own}=/my.xml`);
});

test('the packages of the build folder stay as they were: the next build need not fetch them', () => {
  expect(statSync(hiddenLock).size).toBe(lockSize);
  expect(existsSync(join(build, 'js/node_modules/typescript'))).toBe(true);
});

test.each([
  ['native/adam.cc', true],
  ['scripts/setup/tfjs-attributes.patch', true],
  ['scripts/setup/ros-kilted.txt', true],
  ['scripts/setup.sh', true],
  ['README.md', false],
])('set-up runs again where %s changed: %s', (file, again) => {
  // make --question --what-if: 1 where something would be made if the file had just changed
  const rules = ['-f', 'CMakeFiles/nodes.dir/build.make', '-q', '-W', join(root, file), 'js/.packages'];
  expect(spawnSync('make', rules, { cwd: build }).status).toBe(again ? 1 : 0);
});
