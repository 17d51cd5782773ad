/** The learner's state on disk: published and trained weights, averages, Adam's moments, counts. One safetensors file, replaced in one step. */
import { z } from 'zod';
import { readSafetensors, writeSafetensors, type NamedTensor } from '../model/safetensors';
import type { FlatAdam } from '../training/optimizer';
import type { PublishedModel } from './published';

const FORMAT = 'depthgrad-adaptation/1';
const PARTS = ['weights', 'average', 'firstMoment', 'secondMoment'] as const;

/** As the status takes them. */
const uint32 = z.int().min(0).max(0xffff_ffff);

const countsSchema = z.object({
  step: z.int().min(0),
  adamStep: z.int().min(0),
  /** Triplets of the place taken, learned from or judged by. */
  taken: z.int().min(0),
  promoted: uint32,
  rolledBack: uint32,
  refused: uint32,
  /** Rollbacks since the last promotion. */
  streak: z.int().min(0),
  pausedBecause: z.string().optional(),
});

const publishedSchema = z.object({ base: z.string(), version: z.string(), sha256: z.string(), parent: z.string() });

export type LearnerCounts = z.infer<typeof countsSchema>;

/** @throws Error naming the file when it cannot be written; the one before stays */
export function writeState(path: string, adam: FlatAdam, published: PublishedModel, counts: LearnerCounts): void {
  const tensors = new Map<string, NamedTensor>();
  for (const slot of adam.slots) {
    const { shape } = slot.variable;
    for (const part of PARTS) tensors.set(`${part}:${slot.name}`, { shape, data: slot[part] });
    tensors.set(`active:${slot.name}`, { shape, data: published.weights.get(slot.name)! });
  }
  const texts = {
    counts: JSON.stringify({ ...counts, adamStep: adam.step }),
    published: JSON.stringify(published.facts),
  };
  writeSafetensors(path, tensors, { format: FORMAT, ...texts });
}

/**
 * Gives optimiser and published model what the file holds.
 *
 * @throws Error naming the file when it is damaged, not ours, or of another model; both are untouched then
 */
export function readState(path: string, adam: FlatAdam, published: PublishedModel): LearnerCounts {
  const { tensors, metadata } = readSafetensors(path);
  if (metadata.format !== FORMAT) throw new Error(`${path} is no adaptation state (format "${metadata.format}")`);
  const counts = countsSchema.parse(JSON.parse(metadata.counts));
  const facts = publishedSchema.parse(JSON.parse(metadata.published));
  if (facts.base !== published.facts.base)
    throw new Error(`${path} was adapted from another model (sha256 ${facts.base})`);
  const tensor = (part: string, name: string, length: number): Float32Array => {
    const data = tensors.get(`${part}:${name}`)?.data;
    if (data?.length !== length) throw new Error(`${path} lacks ${part} of "${name}" in its size`);
    return data;
  };
  const active = new Map(
    adam.slots.map(({ name, weights }) => [name, tensor('active', name, weights.length)] as const),
  );
  const states = adam.slots.map(({ name, weights: { length } }) => ({
    name,
    state: {
      weights: tensor('weights', name, length),
      average: tensor('average', name, length),
      firstMoment: tensor('firstMoment', name, length),
      secondMoment: tensor('secondMoment', name, length),
    },
  }));
  for (const { name, state } of states) adam.restore(name, state);
  adam.step = counts.adamStep;
  published.restore(active, facts);
  return counts;
}
