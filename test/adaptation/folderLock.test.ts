/** The lock of adaptation_node's folder, between real processes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from '../../src/adaptation/folderLock';
import { ROOT } from '../support/ros';

const root = mkdtempSync(join(tmpdir(), 'depthgrad-lock-'));
const children: ChildProcess[] = [];
afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;
const newFolder = (): string => join(root, `${folders++}`);

/** A process that tries to lock the folder at once, and keeps it. @returns its first line */
async function locker(folder: string): Promise<{ child: ChildProcess; said: string }> {
  const code = `require(${JSON.stringify(join(ROOT, 'dist/src/adaptation/folderLock.js'))}).lockFolder(process.argv[1])
    .then(() => { console.log('locked'); setInterval(() => {}, 1000); }, (error) => console.log(error.message));`;
  const child = spawn(process.execPath, ['-e', code, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, said: line.toString().trim() };
}

test('the second process is told the folder and the pid of the first, by whatever path it comes', async () => {
  const folder = newFolder();
  const { child, said } = await locker(folder);
  expect(said).toBe('locked');
  await expect(lockFolder(folder)).rejects.toThrow(`${folder} is in use by process ${child.pid}`);
  const link = newFolder();
  symlinkSync(folder, link);
  await expect(lockFolder(link)).rejects.toThrow(`${link} is in use by process ${child.pid}`);
  expect((await locker(folder)).said).toBe(`${folder} is in use by process ${child.pid}`);
  const other = await lockFolder(newFolder());
  other.release();
});

test('killed by SIGKILL or released: the next one has it at once, and nothing is left in the folder', async () => {
  const folder = newFolder();
  for (let round = 0; round < 3; round++) {
    const { child, said } = await locker(folder);
    expect(said).toBe('locked');
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const lock = await lockFolder(folder);
  lock.release();
  (await lockFolder(folder)).release();
  expect(readdirSync(folder)).toEqual([]);
});

test('of eight processes that start together one has it', async () => {
  const folder = newFolder();
  const all = await Promise.all(Array.from({ length: 8 }, () => locker(folder)));
  const winners = all.filter(({ said }) => said === 'locked');
  expect(winners).toHaveLength(1);
  const others = all.filter(({ said }) => said !== 'locked').map(({ said }) => said);
  expect(others).toEqual(Array(7).fill(`${folder} is in use by process ${winners[0].child.pid}`));
});

test('a process that was stopped has it still, and cannot say who it is', async () => {
  const folder = newFolder();
  const { child } = await locker(folder);
  child.kill('SIGSTOP');
  await expect(lockFolder(folder)).rejects.toThrow(`${folder} is in use by process unknown`);
});

test('a folder that cannot be made is named', async () => {
  const file = newFolder();
  writeFileSync(file, '');
  await expect(lockFolder(join(file, 'below'))).rejects.toThrow(`${join(file, 'below')} cannot be made: ENOTDIR`);
});
