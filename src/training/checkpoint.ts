/** A training run's whole state in one safetensors file: weights, averages, Adam's moments, running statistics, position. What a step draws depends on its number alone. */
import { existsSync } from 'node:fs';
import type * as tf from '@tensorflow/tfjs-node-gpu';
import { readSafetensors, writeSafetensors, type NamedTensor } from '../model/safetensors';
import { assign } from '../model/variables';
import type { AveragesState } from './averages';
import type { LossLevels } from './lossGuard';
import type { TrainedNetwork } from './networks/trainedNetwork';
import type { FlatAdam } from './optimizer';

/** Where a run stands; kept as text in the file's metadata. */
export interface RunPosition {
  recipe: string;
  /** Steps done in all stages together. */
  step: number;
  /** Adam's own count. */
  adamStep: number;
  seconds: number;
  /** What was summed up since the last log line. */
  averages: AveragesState;
  lossLevels: LossLevels;
  /** Frames that could not be read, each named once. */
  corruptFrames: string[];
  /** The validation with the lowest figure so far. */
  best?: { step: number; figure: string; value: number };
}

export function startOf(recipe: string): RunPosition {
  return { recipe, step: 0, adamStep: 0, seconds: 0, averages: {}, lossLevels: {}, corruptFrames: [] };
}

/** Checkpoints of older versions lack what came later. */
function positionOf(metadata: Record<string, string>): RunPosition {
  const position = JSON.parse(metadata.position) as RunPosition;
  return { ...startOf(position.recipe), ...position };
}

const parts = ['weights', 'average', 'firstMoment', 'secondMoment'] as const;

/** Writes to a temporary file, fsyncs, renames: a crash leaves the previous checkpoint whole. */
export function writeCheckpoint(
  path: string,
  adam: FlatAdam,
  statistics: ReadonlyMap<string, tf.Variable>,
  position: RunPosition,
): void {
  const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const slot of adam.slots)
    for (const part of parts) tensors.set(`${part}:${slot.name}`, { shape: slot.variable.shape, data: slot[part] });
  for (const [name, variable] of statistics)
    tensors.set(`statistic:${name}`, { shape: variable.shape, data: variable.dataSync<'float32'>() });
  writeSafetensors(path, tensors, { format: 'depthgrad-checkpoint/1', position: JSON.stringify(position) });
}

/** @throws Error naming the file when it is damaged, not ours, or of another network */
export function readCheckpoint(
  path: string,
  adam: FlatAdam,
  statistics: ReadonlyMap<string, tf.Variable>,
): RunPosition {
  const { tensors, metadata } = readSafetensors(path);
  if (metadata.format !== 'depthgrad-checkpoint/1')
    throw new Error(`${path} is not a depthgrad checkpoint (format "${metadata.format ?? 'none'}")`);
  for (const slot of adam.slots) {
    const state = Object.fromEntries(
      parts.map((part) => {
        const tensor = tensors.get(`${part}:${slot.name}`);
        if (!tensor) throw new Error(`${path} lacks ${part} of "${slot.name}": it was made with another network`);
        return [part, tensor.data];
      }),
    ) as Record<(typeof parts)[number], Float32Array>;
    adam.restore(slot.name, state);
  }
  restore(path, 'statistic', tensors, statistics);
  const position = positionOf(metadata);
  adam.step = position.adamStep;
  return position;
}

/**
 * Whether a run folder can be gone on with: called before anything in it is replaced.
 *
 * @throws Error naming the file, and what to do, when its checkpoint is damaged or of another network
 */
export function checkCheckpoint(path: string, network: TrainedNetwork): void {
  if (!existsSync(path)) return;
  try {
    const { weights } = averagedWeights(path);
    for (const [name, { size }] of network.namedVariables()) {
      if (weights.get(name)?.length !== size)
        throw new Error(`${path} is of another network: it has no "${name}" in this size`);
    }
  } catch (error) {
    const way = 'name another --out folder, or remove the file to start anew';
    throw new Error(`${(error as Error).message}. To train by this recipe, ${way}`, { cause: error });
  }
}

/** Where the run of a checkpoint stands. @throws Error naming the file when it is damaged or not ours */
export function checkpointPosition(path: string): RunPosition {
  return averagedWeights(path).position;
}

function restore(
  path: string,
  part: 'average' | 'statistic',
  tensors: ReadonlyMap<string, NamedTensor>,
  variables: ReadonlyMap<string, tf.Variable>,
): void {
  for (const [name, variable] of variables) {
    const tensor = tensors.get(`${part}:${name}`);
    if (tensor?.data.length !== variable.size)
      throw new Error(`${path} lacks ${part} of "${name}" in this size: it was made with another network`);
    assign(variable, tensor.data);
  }
}

/** Gives a network the averaged weights and the running statistics. @throws Error naming the file and what it lacks */
export function restoreAverages(path: string, network: TrainedNetwork): RunPosition {
  const { tensors, metadata } = readSafetensors(path);
  if (metadata.format !== 'depthgrad-checkpoint/1') throw new Error(`${path} is not a depthgrad checkpoint`);
  restore(path, 'average', tensors, network.namedVariables());
  restore(path, 'statistic', tensors, network.namedStatistics());
  return positionOf(metadata);
}

/** Averaged weights by variable name: what is evaluated and exported. */
export function averagedWeights(path: string): { weights: Map<string, Float32Array>; position: RunPosition } {
  const { tensors, metadata } = readSafetensors(path);
  if (metadata.format !== 'depthgrad-checkpoint/1') throw new Error(`${path} is not a depthgrad checkpoint`);
  const weights = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors)
    if (name.startsWith('average:')) weights.set(name.slice('average:'.length), tensor.data);
  return { weights, position: positionOf(metadata) };
}
