/** The model that is published: its weights, version and bytes. */
import { createHash } from 'node:crypto';
import { buildOnnx } from '../model/onnx/exportOnnx';
import type { LoadedModel } from '../model/onnx/loadOnnx';
import type { AdaptedNetwork, Weights } from './adaptedNetwork';
import type { ModelUpdate } from './learnerTypes';

/** What of it the learner's state holds besides the weights. */
export interface Published {
  /** SHA-256 of the model that is the reference. */
  base: string;
  version: string;
  /** SHA-256 of the published model, and of the one it took the place of. */
  sha256: string;
  parent: string;
}

export class PublishedModel {
  readonly reference: Weights;
  #weights: Weights;
  #facts: Published;

  /** @param network of the learner, which has the reference's weights still */
  constructor(
    private readonly onnx: Uint8Array,
    private readonly metadata: LoadedModel['metadata'],
    private readonly network: AdaptedNetwork,
  ) {
    this.reference = network.weights();
    this.#weights = this.reference;
    const sha256 = createHash('sha256').update(onnx).digest('hex');
    this.#facts = { base: sha256, version: metadata.version, sha256, parent: metadata.parentSha256 ?? '' };
  }

  get weights(): Weights {
    return this.#weights;
  }

  get facts(): Readonly<Published> {
    return this.#facts;
  }

  get isReference(): boolean {
    return this.#facts.sha256 === this.#facts.base;
  }

  /** As a file, with what tells it from the one before. */
  update(): ModelUpdate {
    const { sha256, version, parent } = this.#facts;
    const onnx = this.isReference ? this.onnx : this.#export(version, parent);
    return { onnx, sha256, version, parent, changed: this.network.groups };
  }

  /** @param count of promotions, this one included: part of the version */
  promote(weights: Weights, count: number): ModelUpdate {
    this.#weights = weights;
    const version = `${this.metadata.version}+adapted.${count}`;
    const parent = this.#facts.sha256;
    const onnx = this.#export(version, parent);
    const sha256 = createHash('sha256').update(onnx).digest('hex');
    this.#facts = { ...this.#facts, version, sha256, parent };
    return { onnx, sha256, version, parent, changed: this.network.groups };
  }

  /** Back to the reference. @returns it, where something else was published */
  withdraw(): ModelUpdate | undefined {
    if (this.isReference) return undefined;
    this.#weights = this.reference;
    const { base, sha256 } = this.#facts;
    this.#facts = { base, version: this.metadata.version, sha256: base, parent: sha256 };
    return this.update();
  }

  restore(weights: Weights, { base, version, sha256, parent }: Published): void {
    this.#facts = { base, version, sha256, parent };
    this.#weights = this.isReference ? this.reference : weights;
  }

  #export(version: string, parentSha256: string): Uint8Array {
    const { name, encoder, height, width, intrinsics } = this.metadata;
    const description = { name, version, encoder, height, width, intrinsics, parentSha256 };
    return this.network.withWeights(this.#weights, () => buildOnnx(this.network.network, description));
  }
}
