/** The learner's thread: takes triplets, works piece by piece, and keeps its state on disk. It knows no ROS. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { Learner } from '../adaptation/learner';
import { openSource } from '../adaptation/sourceDrives';
import type { AdaptationReport, AdaptationRequest, AdaptationThreadData, Control } from './adaptationProtocol';

/** How long it sleeps where there is nothing to do; what comes in wakes it. */
const IDLE_MS = 50;
const NEVER = -1;
/** Names the drives whose frames the buffer holds, and the room they had. */
const SOURCE_FILE = 'source.txt';

const data = workerData as AdaptationThreadData;
const say = (report: AdaptationReport): void => parentPort!.postMessage(report);

async function main(): Promise<void> {
  const learner = new Learner(readFileSync(data.modelPath), { ...data.options, folder: data.folder });
  let { enabled, savePeriod } = data;
  let storageFault: string | undefined;
  let savedAt = performance.now();
  let savedStep = 0;

  const report = (): void =>
    say({ kind: 'status', status: { learner: learner.status(), enabled, sourceFault, storageFault } });
  const save = (): string | undefined => {
    savedAt = performance.now();
    try {
      learner.save();
      savedStep = learner.status().step;
      storageFault = undefined;
    } catch (error) {
      storageFault = (error as Error).message;
      savedStep = NEVER; // again after savePeriod
      say({ kind: 'note', level: 'warn', text: storageFault });
    }
    return storageFault;
  };

  learner.on('warning', ({ message }) => {
    if (message.startsWith('cannot write')) storageFault = message;
    say({ kind: 'note', level: 'warn', text: message });
  });
  learner.on('paused', ({ reason }) => {
    save();
    say({ kind: 'note', level: 'warn', text: `adaptation pauses: ${reason}` });
  });
  // The state is written first: a learner killed after that knows what the depth node runs.
  learner.on('promoted', (update) => {
    save();
    say({ kind: 'publish', update, reason: `promoted ${update.version}` });
  });
  learner.on('rolledBack', ({ reason, update }) => {
    say({ kind: 'note', level: 'warn', text: `rolled back: ${reason}` });
    if (!update) return;
    save();
    say({ kind: 'publish', reason });
  });

  const restored = learner.restore();
  savedStep = learner.status().step;
  if (restored) say({ kind: 'note', level: 'info', text: `goes on from ${data.folder} at step ${savedStep}` });
  const sourceFault = await takeSource(learner, () => storageFault === undefined);
  if (sourceFault !== undefined) say({ kind: 'note', level: 'warn', text: sourceFault });
  const isFactory = learner.weights.published === learner.weights.reference;
  say({ kind: 'ready', published: isFactory ? undefined : learner.model() });
  report();

  const control = (wanted: Control): { fault?: string; text: string } => {
    switch (wanted.kind) {
      case 'enable':
        enabled = wanted.on;
        if (enabled && learner.status().state === 'paused') {
          learner.resume();
          save();
        }
        return { text: enabled ? 'learning' : 'learning is off; the published model stays' };
      case 'reset':
        learner.reset();
        return { fault: save(), text: 'the factory model is published, learning starts from it' };
      case 'save':
        return { fault: save(), text: `saved in ${data.folder}` };
    }
  };

  let timer: NodeJS.Timeout | undefined;
  let asked = false;
  const work = (): void => {
    const done = enabled ? learner.step() : undefined;
    if (done) report();
    const { step } = learner.status();
    if (step > savedStep && performance.now() - savedAt > 1000 * savePeriod) save();
    if (enabled && !asked && learner.wantsTriplet) {
      asked = true;
      say({ kind: 'wants triplet' });
    }
    timer = setTimeout(work, done ? 0 : IDLE_MS);
  };

  parentPort!.on('message', (request: AdaptationRequest) => {
    switch (request.kind) {
      case 'triplet':
        asked = false;
        learner.take(request.triplet);
        clearTimeout(timer);
        timer = setTimeout(work, 0);
        break;
      case 'settings':
        learner.setOptions(request.options);
        savePeriod = request.savePeriod;
        break;
      case 'withdraw':
        learner.withdraw(request.reason);
        break;
      case 'control':
        say({ kind: 'answer', id: request.id, ...control(request.control) });
        break;
      case 'close':
        clearTimeout(timer);
        save();
        parentPort!.close();
        return;
    }
    report();
  });
  work();
}

/**
 * Source frames: those in the buffer, or of the drives where the buffer has none, others, or not all that were wanted.
 *
 * @param isKept whether all files could be written
 * @returns why there are none
 */
async function takeSource(learner: Learner, isKept: () => boolean): Promise<string | undefined> {
  const { path, cameraFile } = data.source;
  const file = join(data.folder, SOURCE_FILE);
  const { source, judgedSource } = learner.status().buffer;
  const name = `${path}\n${cameraFile}\n${learner.options.bufferMegabytes}\n`;
  if (source > 0 && judgedSource > 0 && readText(file) === name) return undefined;
  try {
    const drives = await openSource(path, cameraFile);
    try {
      rmSync(file, { force: true }); // until all are there
      const count = learner.addSource(drives);
      const names = drives.map((drive) => drive.name).join(', ');
      say({ kind: 'note', level: 'info', text: `${count} source triplets of ${names}` });
      if (isKept()) rememberSource(file, name);
    } finally {
      for (const drive of drives) drive.close();
    }
    return undefined;
  } catch (error) {
    return `parameter source: ${(error as Error).message}`;
  }
}

function rememberSource(file: string, name: string): void {
  try {
    writeFileSync(file, name);
  } catch (error) {
    say({ kind: 'note', level: 'warn', text: `cannot write ${file}: ${(error as Error).message}` });
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // a first start
  }
}

main().catch((error: Error) => say({ kind: 'failed', text: error.message }));
