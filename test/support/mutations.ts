/** Messages that no sender means, the same ones in every run. */

/** Numbers from 0 to 1 (Numerical Recipes' congruential generator). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const WORDS = [0, 1, 0x7fffffff, 0xffffffff, 0x10000, 0x80000000];
const DOUBLES = [NaN, Infinity, -Infinity, 1e308, 0, -1, 5e-324];
const CDR_HEADER = 4;

/**
 * Cut off anywhere, but never to nothing: Fast DDS 3.2 hands an empty payload to no reader and, between a reliable writer and a reliable reader, nothing after
 * it either until it has left the writer's history. No node sees such a message, nor can it do anything about it.
 */
export function cuts(message: Buffer): Buffer[] {
  return [1, 3, 4, 5, 8, 12, 16, 24, 40, message.length - 1].map((length) => message.subarray(0, length));
}

/** Of any message: bytes turned over, numbers that are none, lengths out of all measure, noise, an end too soon. */
export function mutate(message: Buffer, next: () => number): Buffer {
  const below = (end: number): number => Math.floor(next() * end);
  const changed = Buffer.from(message);
  const kind = below(6);
  if (kind === 0) return changed.subarray(0, 1 + below(changed.length - 1));
  if (kind === 1) return Buffer.from(Uint8Array.from({ length: 1 + below(300) }, () => below(256)));
  if (kind === 2 && changed.length >= 12) {
    const at = CDR_HEADER + 8 * below(Math.min(changed.length - 4 - 8, 800) / 8);
    changed.writeDoubleLE(DOUBLES[below(DOUBLES.length)], at);
  } else if (kind <= 4 && changed.length >= 8) {
    const at = 4 * below(Math.min(changed.length - 4, 400) / 4);
    changed.writeUInt32LE(WORDS[below(WORDS.length)], at);
  } else {
    // mostly in the fields, which are at the beginning
    for (let places = 1 + below(6); places > 0; places--)
      changed[Math.floor(next() ** 3 * changed.length)] = below(256);
  }
  return changed;
}
