/** Many malformed messages on all topics of a node at once, over DDS, good ones between them. DEPTHGRAD_FUZZ_SECONDS=300 is the long run. */
import { readFileSync } from 'node:fs';
import { cuts, mutate, seeded } from './mutations';
import { PATIENCE, type NodeProcess, type Peer } from './ros';

export const FUZZ_SECONDS = Number(process.env.DEPTHGRAD_FUZZ_SECONDS || 6);
/** From here on it is measured: before, a heap still grows to its size. */
const IS_LONG = FUZZ_SECONDS >= 60;
export const FUZZ_TEST_MS = (120_000 + 2000 * FUZZ_SECONDS) * PATIENCE;
/** What a sound heap wanders by in the seconds of a short run. */
const SHORT_GROWTH_MIB = 25;
const LONG_GROWTH = 0.05;
/** A class is named at once, then every 5 s. */
const LOG_PERIOD = 5;

/** A fault: its name, a message that has it, and what the log says of it. */
export type FaultClass = readonly [name: string, message: Buffer, says: RegExp];

export interface FuzzedTopic {
  readonly topic: string;
  /** What the mutations begin from. */
  readonly good: readonly Buffer[];
  readonly classes: readonly FaultClass[];
  /** Of a type of fixed size: Fast DDS sends no more bytes than that. */
  readonly mostBytes?: number;
}

export interface FuzzOptions {
  readonly peer: Peer;
  readonly node: NodeProcess;
  readonly topics: readonly FuzzedTopic[];
  /** Between the rounds: looks at what has come out, and whether good messages still do what they did. */
  readonly probe: () => Promise<void>;
  /** The node looks at the newest now and then: not every class comes to its eyes. */
  readonly isPolled?: boolean;
  /** Messages of each topic from one probe to the next. */
  readonly perRound?: number;
}

/** Every class on its own, five times: named by the log once. */
export async function expectNamedOnce(peer: Peer, node: NodeProcess, topics: readonly FuzzedTopic[]): Promise<void> {
  for (const { topic, classes } of topics) {
    for (const [name, message, says] of classes) {
      await send(peer, [{ topic, message, times: 5 }]);
      await node.logged(says);
      expect({ topic, name, lines: node.count(says) }).toEqual({ topic, name, lines: 1 });
    }
  }
}

interface Sent {
  readonly topic: string;
  readonly message: Buffer;
  readonly times?: number;
}

async function send(peer: Peer, messages: readonly Sent[]): Promise<void> {
  await peer.command('barrage', {
    messages: messages.map(({ topic, message, times = 1 }) => [topic, message.toString('base64'), times]),
  });
}

function residentMiB({ pid }: NodeProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/** For FUZZ_SECONDS. Expects the memory flat and the log bounded. */
export async function fuzz({ peer, node, topics, probe, isPolled = false, perRound = 12 }: FuzzOptions): Promise<void> {
  const next = seeded(20);
  const resident: number[] = [];
  let sent = 0;
  const sendAll = async (messages: readonly Sent[]): Promise<void> => {
    await send(peer, messages);
    sent += messages.length;
  };
  await sendAll(topics.flatMap(({ topic, good }) => good.flatMap(cuts).map((message) => ({ topic, message }))));
  await probe();
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  for (let round = 0; seconds() < FUZZ_SECONDS; round++) {
    const messages: Sent[] = [];
    for (let i = 0; i < perRound; i++)
      for (const { topic, good, mostBytes } of topics) {
        const message = mutate(good[Math.floor(next() * good.length)], next);
        messages.push({ topic, message: message.subarray(0, mostBytes) });
      }
    for (const { topic, classes } of topics)
      if (classes.length > 0) messages.push({ topic, message: classes[round % classes.length][1] });
    await sendAll(messages);
    await probe();
    resident.push(residentMiB(node));
  }
  const tenth = Math.ceil(resident.length / 10);
  const [start, end] = [median(resident.slice(2 * tenth, 4 * tenth)), median(resident.slice(-2 * tenth))];
  const named = topics.flatMap(({ classes }) => classes.filter(([, , says]) => node.count(says) > 0));
  const all = topics.flatMap(({ classes }) => classes);
  if (IS_LONG)
    process.stdout.write(
      `${sent} messages on ${topics.length} topics in ${seconds().toFixed(0)} s; RSS ${start.toFixed(0)} MiB after a fifth of it, ` +
        `${end.toFixed(0)} at the end; ${named.length} of ${all.length} classes in the log, ${node.output.split('\n').length} lines\n`,
    );
  expect(end - start).toBeLessThan(IS_LONG ? LONG_GROWTH * start : SHORT_GROWTH_MIB);
  const periods = 2 + seconds() / LOG_PERIOD;
  for (const [name, , says] of all)
    expect({ name, tooMany: node.count(says) > periods }).toEqual({ name, tooMany: false });
  if (IS_LONG && !isPolled) expect(named.map(([name]) => name)).toEqual(all.map(([name]) => name));
  expect(node.count(/^\[FATAL\] forged/m)).toBe(0);
}
