import { readFileSync } from 'node:fs';

/** Linux's USER_HZ, on every machine with a node. */
const CLOCK_TICKS_PER_SECOND = 100;

/** Of a process, user and system time together. */
export function processorSeconds(pid: number | undefined): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind the name, which may hold spaces: field 3 is the state, 14 and 15 are user and system time (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
}
