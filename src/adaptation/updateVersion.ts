/** Number of the last model update that was sent, kept so that it rises over restarts. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../model/safetensors';

const FILE = 'update.json';
const schema = z.object({ version: z.int().nonnegative(), sha256: z.string() });

/** 0 where none was sent, or the file is damaged: the receiver then says which number it has seen. */
export function readUpdateVersion(folder: string): { version: number; sha256?: string } {
  try {
    return schema.parse(JSON.parse(readFileSync(join(folder, FILE), 'utf8')));
  } catch {
    return { version: 0 };
  }
}

/** @throws Error naming the file when it cannot be written */
export function writeUpdateVersion(folder: string, sent: z.infer<typeof schema>): void {
  mkdirSync(folder, { recursive: true });
  writeFileAtomically(join(folder, FILE), [Buffer.from(`${JSON.stringify(sent)}\n`)]);
}
