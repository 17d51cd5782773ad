/** The machine a bench ran on, as its JSON file says it. */
import { cpus, loadavg } from 'node:os';
import { hundredth } from '../src/demo/percentiles';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  /** One-minute load average before the first measurement: what else the machine was busy with. */
  readonly load_average_before: number;
}

/** With a load above this something else was running, and the figures say as much about that. */
const IDLE_LOAD = 0.5;

/** Call it before anything is measured: the load is the present one, and `log` is told where it is too high. */
export function describeMachine(log: (text: string) => void): Machine {
  const processors = cpus();
  const load = hundredth(loadavg()[0]);
  if (load > IDLE_LOAD) log(`the machine is not idle (load ${load}): the figures will be worse than they could be`);
  return { cpu: processors[0].model, cores: processors.length, node: process.version, load_average_before: load };
}

/** For a table: the load before, and what it makes of the figures. */
export function describeLoad({ load_average_before: load }: Pick<Machine, 'load_average_before'>): string {
  return `load ${load.toFixed(2)} before${load > IDLE_LOAD ? ': **not idle, the times say little**' : ''}`;
}
