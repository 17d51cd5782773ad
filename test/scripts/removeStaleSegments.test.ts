/** scripts/removeStaleSegments.sh with the shared memory of real Fast DDS processes, one of them killed. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT, rosEnvironment } from '../support/ros';

const children: ChildProcess[] = [];
afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')));

function removeStale(...folder: string[]): string {
  const script = join(ROOT, 'scripts', 'removeStaleSegments.sh');
  const { status, stderr } = spawnSync('bash', [script, ...folder], { encoding: 'utf8' });
  expect(status).toBe(0);
  return stderr;
}

/** A Python process that has run the lines and waits to be killed. */
async function python(lines: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const code = `${lines}\nprint('ready', flush=True)\nimport time\ntime.sleep(60)`;
  const child = spawn(env.DEPTHGRAD_PYTHON!, ['-c', code], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const ended = once(child, 'close').then(() => Promise.reject(new Error(`python ended:\n${lines}`)));
  await Promise.race([once(createInterface({ input: child.stdout! }), 'line'), ended]);
  ended.catch(() => undefined);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

/** Segments and ports of Fast DDS that a process has mapped. */
function mappedBy({ pid }: ChildProcess): string[] {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
  return [...new Set(maps.match(/\/dev\/shm\/fast(dds|rtps)_\w+$/gm) ?? [])];
}

test('what a killed process left is removed, what a living one uses is not', async () => {
  const node = "import rclpy\nrclpy.init()\nnode = rclpy.create_node('left_behind')";
  // Domains of their own: nodes of one domain share ports.
  const killed = await python(node, rosEnvironment());
  const living = await python(node, rosEnvironment());
  const [left, used] = [mappedBy(killed), mappedBy(living)];
  expect([left.length, used.length].every((count) => count > 1)).toBe(true);
  await kill(killed);
  expect(left.every((path) => existsSync(path))).toBe(true);
  expect(removeStale()).toMatch(
    /^shared memory: removed \d+ Fast DDS segments of processes that were killed \(\d+ MiB/,
  );
  const files = readdirSync('/dev/shm');
  for (const path of left) expect(files.filter((file) => join('/dev/shm', file).includes(path))).toEqual([]);
  expect(used.filter((path) => !existsSync(path))).toEqual([]);
  await kill(living);
  removeStale();
  expect(used.filter((path) => existsSync(path))).toEqual([]);
});

test('a segment that somebody has mapped stays, though the lock of its owner is gone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-segments-'));
  const segment = join(folder, 'fastdds_0123456789abcdef');
  const lock = `${segment}_el`;
  const others = ['fastdds_notes_el', 'my_segment_el'].map((name) => join(folder, name));
  for (const path of [segment, lock, ...others]) writeFileSync(path, 'x');
  try {
    const map = `import mmap\nfile = open('${segment}', 'r+b')\nmemory = mmap.mmap(file.fileno(), 0)`;
    const reader = await python(map, process.env);
    expect(removeStale(folder)).toBe('');
    expect([segment, lock].every((path) => existsSync(path))).toBe(true);
    await kill(reader);
    expect(removeStale(folder)).toContain('removed 1 Fast DDS segments');
    expect(readdirSync(folder).sort()).toEqual(['fastdds_notes_el', 'my_segment_el']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
