/**
 * Triplets kept for replay and for judgement, bounded in bytes, each in a file of its own so that a restart goes on with them.
 *
 * Of the place, what differs is kept (CL-SLAM, Vödisch et al. 2022): a triplet too similar to a kept one is not, and where there is no room the one
 * that is most like another goes.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Triplet } from './frame';
import { readTriplet, writeTriplet } from './tripletFile';

/** Replayed are source and place; judged are the other two, which are never learned from. */
export const SAMPLE_KINDS = ['source', 'place', 'judged-source', 'judged-place'] as const;
export type SampleKind = (typeof SAMPLE_KINDS)[number];

/** A triplet with what is computed of it once. */
export interface Sample {
  triplet: Triplet;
  /** Pooled encoder features of the target: what similarity is measured by. */
  descriptor: Float32Array;
  /** Of everything the sample holds in memory. */
  bytes: number;
}

interface Stored<S extends Sample> {
  kind: SampleKind;
  number: number;
  sample: S;
}

export interface BufferOptions {
  /** Folder of the files, made where it is not there; without it the buffer is in memory only. */
  folder?: string;
  /** Bytes of all samples together in memory; the files take less. */
  limit: number;
  /** Told of a file that is damaged or cannot be written; it names it. */
  onWarning: (message: string) => void;
}

const FILE = /^(source|place|judged-source|judged-place)-(\d{10})\.triplet$/;

export function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / Math.sqrt(Math.max(1e-12, aa * bb));
}

export class ReplayBuffer<S extends Sample> {
  #stored: Stored<S>[] = [];
  #next = 0;
  #bytes = 0;

  constructor(private readonly options: BufferOptions) {
    if (options.folder !== undefined) mkdirSync(options.folder, { recursive: true });
  }

  get bytes(): number {
    return this.#bytes;
  }

  get limit(): number {
    return this.options.limit;
  }

  of(kind: SampleKind): S[] {
    return this.#stored.filter((one) => one.kind === kind).map(({ sample }) => sample);
  }

  count(kind: SampleKind): number {
    return this.#stored.reduce((sum, one) => sum + (one.kind === kind ? 1 : 0), 0);
  }

  /**
   * Reads what an earlier process kept. A damaged file is named, left out and deleted; so are files of which there is no room any more.
   *
   * @param make what is to be known of a triplet; called once for each
   */
  load(height: number, width: number, make: (triplet: Triplet, kind: SampleKind) => S): void {
    const { folder, onWarning } = this.options;
    if (folder === undefined) return;
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      const match = FILE.exec(name);
      if (!match) {
        // What a process killed while writing left behind.
        if (/\.triplet\.\d+\.tmp$/.test(name)) this.#remove(path);
        continue;
      }
      const number = Number(match[2]);
      this.#next = Math.max(this.#next, number + 1);
      try {
        const kind = match[1] as SampleKind;
        const sample = make(readTriplet(path, height, width), kind);
        if (this.#bytes + sample.bytes > this.limit) throw new Error(`${path} does not fit into the buffer any more`);
        this.#stored.push({ kind, number, sample });
        this.#bytes += sample.bytes;
      } catch (error) {
        onWarning(`${(error as Error).message}; left out of the replay buffer and deleted`);
        this.#remove(path);
      }
    }
    this.#stored.sort((a, b) => a.number - b.number);
  }

  /** Keeps a sample where there is room; frames of the place make room for it. @returns whether there was */
  add(kind: SampleKind, sample: S): boolean {
    this.#makeRoom(sample.bytes);
    if (this.#bytes + sample.bytes > this.limit) return false;
    const stored = { kind, number: this.#next++, sample };
    this.#stored.push(stored);
    this.#bytes += sample.bytes;
    this.#write(stored);
    return true;
  }

  /** Keeps a sample of the place if it differs from all that are kept; makes room among them where there is none. */
  addDiverse(sample: S, maxSimilarity: number): boolean {
    const kept = this.#stored.filter(({ kind }) => kind === 'place');
    const similar = kept.some((one) => cosine(one.sample.descriptor, sample.descriptor) > maxSimilarity);
    if (similar) return false;
    return this.add('place', sample);
  }

  /** Keeps a sample in place of the kind's oldest, where there are `count` of them already. */
  addInTurn(kind: SampleKind, sample: S, count: number): boolean {
    const ofKind = this.#stored.filter((one) => one.kind === kind);
    if (ofKind.length >= count) this.#drop(ofKind[0]);
    return this.add(kind, sample);
  }

  /** Forgets all samples of a kind, files included. */
  clear(kind: SampleKind): void {
    for (const stored of this.#stored.filter((one) => one.kind === kind)) this.#drop(stored);
  }

  /** As far as frames of the place can. */
  #makeRoom(bytes: number): void {
    while (this.#bytes + bytes > this.limit) {
      const place = this.#stored.filter(({ kind }) => kind === 'place');
      if (place.length === 0) return;
      this.#drop(mostLikeAnother(place));
    }
  }

  #path({ kind, number }: Stored<S>): string | undefined {
    const { folder } = this.options;
    return folder && join(folder, `${kind}-${String(number).padStart(10, '0')}.triplet`);
  }

  #write(stored: Stored<S>): void {
    const path = this.#path(stored);
    if (path === undefined) return;
    try {
      writeTriplet(path, stored.sample.triplet);
    } catch (error) {
      // A full disk must not end the learning: the sample is in memory, and only a restart will miss it.
      this.options.onWarning((error as Error).message);
    }
  }

  #drop(stored: Stored<S>): void {
    this.#stored = this.#stored.filter((one) => one !== stored);
    this.#bytes -= stored.sample.bytes;
    const path = this.#path(stored);
    if (path !== undefined) this.#remove(path);
  }

  #remove(path: string): void {
    try {
      rmSync(path, { force: true });
    } catch (error) {
      this.options.onWarning((error as Error).message); // of a disk that has become read-only
    }
  }
}

/** The older one of the two most similar samples. */
function mostLikeAnother<S extends Sample>(stored: readonly Stored<S>[]): Stored<S> {
  let [found, greatest] = [stored[0], -Infinity];
  for (let i = 0; i < stored.length; i++) {
    for (let j = i + 1; j < stored.length; j++) {
      const similarity = cosine(stored[i].sample.descriptor, stored[j].sample.descriptor);
      if (similarity > greatest) [found, greatest] = [stored[i], similarity];
    }
  }
  return found;
}
