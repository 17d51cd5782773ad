/**
 * One process per folder. The lock is an abstract Unix socket named after the folder's inode: the kernel gives it to one process at a time and takes it back
 * with that process, however it ends, so nothing is ever left behind by a killed one. Whoever connects is told the holder's pid.
 */
import { mkdirSync, statSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';

/** A holder answers at once, unless it was stopped (SIGSTOP). */
const ANSWER_MS = 1000;

export interface FolderLock {
  release(): void;
}

/**
 * Makes the folder where it is not there, and keeps every other process from locking it until this one ends or releases it. Seen by all processes of the
 * machine's network namespace, under whatever path they know the folder.
 *
 * @throws Error naming the folder, and the pid of the process that has it
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new Error(`${folder} cannot be made: ${(error as Error).message}`, { cause: error });
  }
  const { dev, ino } = statSync(folder, { bigint: true });
  const address = `\0depthgrad-folder-${dev}-${ino}`;
  const server = createServer((socket) => {
    socket.on('error', () => undefined); // gone before it was told
    socket.end(`${process.pid}`);
  });
  try {
    await listen(server, address);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new Error(`${folder} is in use by process ${await holder(address)}`, { cause: error });
  }
  server.unref();
  return { release: () => server.close() };
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, resolve);
  });
}

/** The pid of the process that has the lock. */
function holder(address: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(address);
    let answer = '';
    const done = (): void => {
      socket.destroy();
      resolve(answer || 'unknown');
    };
    socket.setTimeout(ANSWER_MS, done);
    socket.on('data', (data) => (answer += data.toString()));
    socket.on('end', done);
    socket.on('error', done);
  });
}
