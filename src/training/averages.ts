/** Running means of the logged figures since the last log line. Their state goes into the checkpoint, so that a resumed run logs the same. */
export type AveragesState = Record<string, { sum: number; count: number }>;

export class Averages {
  #sums: Map<string, { sum: number; count: number }>;

  constructor(state: AveragesState = {}) {
    this.#sums = new Map(Object.entries(state).map(([name, entry]) => [name, { ...entry }]));
  }

  get state(): AveragesState {
    return Object.fromEntries([...this.#sums].map(([name, entry]) => [name, { ...entry }]));
  }

  add(values: Record<string, number>): void {
    for (const [name, value] of Object.entries(values)) {
      const entry = this.#sums.get(name) ?? { sum: 0, count: 0 };
      entry.sum += value;
      entry.count++;
      this.#sums.set(name, entry);
    }
  }

  /** The means, and a new start. */
  take(): Record<string, number> {
    const means = Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
    this.#sums.clear();
    return means;
  }
}
