/**
 * Class maps of the rendered scenes (SceneClass), kept in files of their own beside the scenes: sets rendered before anybody asked for them
 * stay as they are.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { CorruptFrameError } from './corruptFrame';
import { partPath, renderMissing, SAMPLES_PER_PART, type SyntheticSet } from './syntheticSet';

/** Random access to the classes of every sample's second frame, uint8 [height, width] of the set. */
export class SyntheticClasses {
  readonly #files: number[];

  /** @throws Error naming the part that has not the size of its records */
  constructor(private readonly set: SyntheticSet) {
    this.#files = Array.from({ length: Math.ceil(set.count / SAMPLES_PER_PART) }, (_, part) => {
      const path = partPath(set.folder, part, 'classes');
      const [size, bytes] = [statSync(path).size, this.#recordBytes * SAMPLES_PER_PART];
      if (size !== bytes)
        throw new Error(`${path} has ${size} bytes, expected ${bytes}; remove it and it is rendered again`);
      return openSync(path, 'r');
    });
  }

  get #recordBytes(): number {
    return this.set.height * this.set.width;
  }

  read(index: number, into: Uint8Array): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.set.count)
      throw new RangeError(`classes of synthetic sample ${index} of ${this.set.count}: index out of range`);
    const bytes = this.#recordBytes;
    const part = Math.floor(index / SAMPLES_PER_PART);
    const read = readSync(this.#files[part], into, 0, bytes, (index % SAMPLES_PER_PART) * bytes);
    if (read < bytes) {
      const path = partPath(this.set.folder, part, 'classes');
      throw new CorruptFrameError(path, index, 'is cut off: the file ends in it');
    }
  }

  close(): void {
    for (const file of this.#files) closeSync(file);
  }
}

/** The classes of a set's samples, drawn first where they are not there yet. */
export async function openSyntheticClasses(set: SyntheticSet, threads = 2): Promise<SyntheticClasses> {
  await renderMissing({ key: set.key, folder: set.folder, content: 'classes' }, set.count, threads);
  return new SyntheticClasses(set);
}
