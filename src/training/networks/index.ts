/** The networks a recipe can name. A new one is a file beside this and a line here. */
import { z } from 'zod';
import { depthgrad } from './depthgrad';
import { monodepth } from './monodepth';
import { sfmlearner } from './sfmlearner';
import { convolutional, residual } from './supervised';
import type { NetworkStart, TrainedNetwork } from './trainedNetwork';
import { twoStream } from './twoStream';

const kinds = [depthgrad, sfmlearner, twoStream, convolutional, residual, monodepth] as const;

type Schema = (typeof kinds)[number]['schema'];

/** A recipe's `network`: its kind, depthgrad where none is named, and that kind's options. */
export const networkSchema = z.preprocess(
  (network) =>
    typeof network === 'object' && network !== null && !('kind' in network)
      ? { kind: 'depthgrad', ...network }
      : network,
  z.discriminatedUnion('kind', kinds.map(({ schema }) => schema) as [Schema, ...Schema[]]),
);

export type NetworkSettings = z.infer<typeof networkSchema>;

/** @throws Error when the settings' pretrained weights are missing or there are none for the encoder */
export function createNetwork(settings: NetworkSettings, start: NetworkStart): TrainedNetwork {
  const found = kinds.find(({ schema }) => schema.shape.kind.safeParse(settings.kind).success)!;
  // The union's member was found by its kind, which the compiler cannot follow.
  return found.create(settings as never, start);
}
