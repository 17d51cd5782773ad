/**
 * A triplet on disk: 8-byte magic, SHA-256 of what follows, 4-byte header length (little endian), JSON header, three rgb8 images. Written to a
 * temporary name, fsynced, renamed.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeFileAtomically } from '../model/safetensors';
import type { Triplet } from './frame';

const MAGIC = Buffer.from('dgtripl1');
const DIGEST_BYTES = 32;
const HEAD_BYTES = MAGIC.length + DIGEST_BYTES;

const headerSchema = z.object({
  stamp: z.number(),
  intrinsics: z.object({
    width: z.int().positive(),
    height: z.int().positive(),
    fx: z.number().positive(),
    fy: z.number().positive(),
    cx: z.number(),
    cy: z.number(),
  }),
  motion: z.object({ speed: z.number(), sincePrevious: z.number(), untilNext: z.number() }).optional(),
});

/** @throws Error naming the file when it cannot be written */
export function writeTriplet(path: string, { images, ...header }: Triplet): void {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const parts = [length, json, ...images];
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  writeFileAtomically(path, [MAGIC, digest.digest(), ...parts]);
}

/** @throws Error naming the file and what is wrong: cut off, changed, another format or size */
export function readTriplet(path: string, height: number, width: number): Triplet {
  const fail = (reason: string): never => {
    throw new Error(`${path} is no usable triplet: ${reason}`);
  };
  const file = readFileSync(path);
  if (file.length < HEAD_BYTES + 4 || !file.subarray(0, MAGIC.length).equals(MAGIC)) fail('not the format, or cut off');
  const body = file.subarray(HEAD_BYTES);
  if (!createHash('sha256').update(body).digest().equals(file.subarray(MAGIC.length, HEAD_BYTES)))
    fail('its checksum is wrong: cut off or changed');
  const start = 4 + body.readUInt32LE(0);
  const header = headerSchema.parse(JSON.parse(body.toString('utf8', 4, start)));
  const { intrinsics } = header;
  if (intrinsics.height !== height || intrinsics.width !== width)
    fail(`it is of ${intrinsics.width}x${intrinsics.height}, the network of ${width}x${height}`);
  const bytes = 3 * height * width;
  const image = (index: number): Uint8Array =>
    Uint8Array.from(body.subarray(start + index * bytes, start + (index + 1) * bytes));
  return { ...header, images: [image(0), image(1), image(2)] };
}
