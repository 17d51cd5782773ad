import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(__dirname, '../..');
const setupFolder = join(root, 'scripts/setup');
const realCache =
  process.env.DEPTHGRAD_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? '', '.cache'), 'depthgrad');

// The private prefix needs python3.11; a machine with ROS 2 sourced may do without.
const hasPrivatePrefix = existsSync(join(realCache, 'ros')) && spawnSync('python3.11', ['-c', '']).status === 0;
if (!hasPrivatePrefix) console.warn('tests of the private ROS 2 prefix are skipped: it is not used on this machine');
const onPrivatePrefix = hasPrivatePrefix ? test : test.skip;

let scratch: string;
beforeEach(() => (scratch = mkdtempSync(join(tmpdir(), 'depthgrad-setup-'))));
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/** The environment of a shell where nothing was sourced, with a cache folder of its own. */
function bareEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, DEPTHGRAD_CACHE: join(scratch, 'cache'), ...extra };
  const sourced = [
    'AMENT_PREFIX_PATH',
    'CMAKE_PREFIX_PATH',
    'LD_LIBRARY_PATH',
    'PYTHONPATH',
    'ROS_DISTRO',
    '_ROS_WHEELS_BOOTSTRAP_COMPLETE',
  ];
  for (const name of sourced) Reflect.deleteProperty(environment, name);
  return environment;
}

/** A PATH with the programs of this machine except those left out. */
function pathWithout(...leftOut: string[]): string {
  const folder = join(scratch, 'bin');
  mkdirSync(folder);
  const wanted = [
    'bash',
    'sh',
    'cat',
    'cut',
    'sha256sum',
    'dirname',
    'mkdir',
    'df',
    'awk',
    'uname',
    'node',
    'npm',
    'g++',
    'make',
    'cmake',
    'strip',
    'flock',
  ];
  const find = (program: string) => execFileSync('bash', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
  for (const program of wanted.filter((name) => !leftOut.includes(name)))
    symlinkSync(find(program), join(folder, program));
  // the interpreter itself: what is found on the path may be a version manager's shim that needs the whole of it
  const python = execFileSync('python3.11', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  if (!leftOut.includes('python3.11')) symlinkSync(python, join(folder, 'python3.11'));
  return folder;
}

(hasPrivatePrefix ? describe : describe.skip)('prerequisites', () => {
  const check = (PATH: string) =>
    spawnSync('bash', [join(setupFolder, 'prerequisites.sh')], { env: bareEnvironment({ PATH }), encoding: 'utf8' });

  test('are met by a machine that has them all', () => {
    expect(check(pathWithout())).toMatchObject({ status: 0, stderr: '' });
  });

  test.each([
    ['cmake', 'sudo apt install cmake'],
    ['g++', 'sudo apt install g++'],
    ['python3.11', 'sudo apt install python3.11-venv python3.11-dev (Debian 12)'],
    ['node', 'Node.js from nodejs.org'],
    ['npm', 'the one that comes with Node.js from nodejs.org'],
  ])('name %s when it is missing, and what installs it', (program, install) => {
    const { status, stderr } = check(pathWithout(program));
    expect(status).toBe(1);
    expect(stderr).toContain(`missing: ${program}`);
    expect(stderr).toContain(install);
    expect(stderr).not.toMatch(/apt install.*\b(nodejs|npm)\b/); // NodeSource's nodejs conflicts with apt's npm
  });

  test('name all that is missing at once', () => {
    const { stderr } = check(pathWithout('make', 'cmake'));
    expect(stderr.match(/missing: /g)).toHaveLength(2);
  });

  test('name a Node.js that is too old', () => {
    const PATH = pathWithout('node');
    writeFileSync(join(PATH, 'node'), '#!/bin/sh\n[ "$1" = -v ] && echo v18.19.0\nexit 1\n', { mode: 0o755 });
    expect(check(PATH).stderr).toContain('Node.js 20.20 or newer (node is v18.19.0)');
  });

  test('name a cache folder that cannot be written', () => {
    writeFileSync(join(scratch, 'cache'), 'a file where the folder should be');
    expect(check(pathWithout()).stderr).toContain('export DEPTHGRAD_CACHE=FOLDER');
  });
});

describe('a wheel', () => {
  const wheelName = 'tiny_drive-1.0-py3-none-any.whl';
  const makeWheel = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('tiny_drive/drive.txt', 'a drive')
    wheel.writestr('tiny_drive-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tiny-drive\\nVersion: 1.0\\n')
    wheel.writestr('tiny_drive-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('tiny_drive-1.0.dist-info/RECORD', '')`;

  /** Runs fetch_wheel with pip's index being a folder: real pip, no network. */
  function fetch(sha256: string) {
    const script = `. ${setupFolder}/common.sh; mkdir -p "$DG_CACHE/wheels"; fetch_wheel tiny-drive==1.0 ${wheelName} ${sha256}`;
    const env = bareEnvironment({ PIP_NO_INDEX: '1', PIP_FIND_LINKS: join(scratch, 'index') });
    return spawnSync('bash', ['-c', script], { env, encoding: 'utf8' });
  }
  let sha256: string;
  const inCache = () => join(scratch, 'cache/wheels', wheelName);

  beforeEach(() => {
    mkdirSync(join(scratch, 'index'));
    mkdirSync(join(scratch, 'cache/wheels'), { recursive: true });
    execFileSync('python3', ['-c', makeWheel, join(scratch, 'index', wheelName)]);
    sha256 = execFileSync('sha256sum', [join(scratch, 'index', wheelName)], { encoding: 'utf8' }).split(' ')[0];
  });

  test('that is damaged in the cache is fetched again', () => {
    writeFileSync(inCache(), 'half a whe');
    const { status, stdout, stderr } = fetch(sha256);
    expect(stderr).toContain(`${wheelName} in the cache is damaged, fetching it again`);
    expect({ status, stdout: stdout.trim() }).toEqual({ status: 0, stdout: inCache() });
    expect(readFileSync(inCache())).toEqual(readFileSync(join(scratch, 'index', wheelName)));
  });

  test('that is not what was published is refused, and leaves nothing behind', () => {
    const { status, stderr } = fetch('0'.repeat(64));
    expect(status).toBe(1);
    expect(stderr).toContain(`${wheelName} does not have the sha256 ${'0'.repeat(64)}`);
    expect(existsSync(inCache())).toBe(false);
  });

  test('that the index does not answer for ends with what to do', () => {
    rmSync(join(scratch, 'index', wheelName));
    const { status, stderr } = fetch(sha256);
    expect(status).toBe(1);
    expect(stderr).toContain('tiny-drive==1.0 could not be downloaded');
    expect(stderr).toContain('Run the same command again to resume');
  });
});

onPrivatePrefix('a step killed in the middle is made anew by the next run', async () => {
  // the messages of this checkout, in a cache that shares only ROS 2 with the real one
  mkdirSync(join(scratch, 'cache'));
  symlinkSync(join(realCache, 'ros'), join(scratch, 'cache/ros'));
  const script = join(setupFolder, 'interfaces.sh');
  const killed = spawn('bash', [script], { env: bareEnvironment(), detached: true, stdio: 'ignore' });
  const interfaces = join(scratch, 'cache/interfaces');
  const begun = () =>
    existsSync(interfaces) &&
    readdirSync(interfaces).some((key) => existsSync(join(interfaces, key, 'build/CMakeCache.txt')));
  while (!begun()) await new Promise((resolve) => setTimeout(resolve, 50));
  process.kill(-(killed.pid as number), 'SIGKILL');
  await new Promise((resolve) => killed.once('close', resolve));
  const [key] = readdirSync(interfaces);
  expect(existsSync(join(interfaces, key, '.complete'))).toBe(false);

  execFileSync('bash', [script], { env: bareEnvironment(), stdio: 'ignore' });
  expect(existsSync(join(interfaces, key, '.complete'))).toBe(true);
  expect(existsSync(join(interfaces, key, 'share/depthgrad/msg/EgoMotion.msg'))).toBe(true);
});

test('set-up has nothing to do after a set-up, and does it in under a second', () => {
  execFileSync('bash', [join(root, 'scripts/setup.sh')], { stdio: 'ignore' });
  const started = performance.now();
  const { status, stderr } = spawnSync('bash', [join(root, 'scripts/setup.sh')], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(performance.now() - started).toBeLessThan(1000);
});

test('the lock file has the binaries of every platform, as npm ci demands', () => {
  interface Locked {
    optionalDependencies?: Record<string, string>;
  }
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const absent = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`],
    ),
  );
  expect(absent).toEqual([]);
});
