/**
 * A new model for a running node: packed and signed by whoever trained it, checked by whoever is to run it (docs/architecture.md, "Model
 * updates"). No ROS here: src/nodes carries it as depthgrad/ModelUpdate.
 */
import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { describeModel, type ModelDescription, type ModelFile } from './modelFile';
import { weightsBetween, withWeights } from './modelWeights';

/** The last there can be: receivers answer with it as it is, and the one after it must still be a number that doubles tell from its neighbours. */
export const LAST_VERSION = Number.MAX_SAFE_INTEGER - 1;

/** Throws ModelUpdateError where no answer could name it, or no update could follow it. */
export function checkVersion(version: number | bigint): void {
  if (version > LAST_VERSION)
    throw new ModelUpdateError(`version ${version} is above ${LAST_VERSION}, the last there can be`);
}

/** whole: the ONNX file. weights: what `weightsBetween` gives. held: no bytes, a model that the receiver still has. */
export type UpdateKind = 'whole' | 'weights' | 'held';

export interface ModelUpdate {
  readonly kind: UpdateKind;
  /** Counts up; 0 is the factory model, which the receiver started with. */
  readonly version: number;
  /** Hex digest of the whole model file as it is to run. */
  readonly sha256: string;
  /** Of the model it was made from. */
  readonly parentSha256: string;
  /** `keyId` of the key it is signed with; empty where it is not signed. */
  readonly keyId: string;
  /** Ed25519 over `updateStatement`; empty where it is not signed. */
  readonly signature: Uint8Array;
  readonly data: Uint8Array;
}

/** An update that is not taken; the text names the field. */
export class ModelUpdateError extends Error {
  override readonly name = 'ModelUpdateError';
}

export interface PackOptions {
  /** The model to run, an ONNX file. */
  readonly bytes: Uint8Array;
  /** The file it was made from, which the receiver has: its running or its factory model. */
  readonly parent: Uint8Array;
  readonly version: number;
  /** Ed25519. */
  readonly privateKey?: KeyObject;
}

/** The smallest update that makes `bytes` of `parent`: the changed weights alone where nothing else changed. */
export function packModelUpdate({ bytes, parent, version, privateKey }: PackOptions): ModelUpdate {
  const weights = weightsBetween(parent, bytes);
  const announced = {
    kind: weights ? 'weights' : 'whole',
    version,
    sha256: digest(bytes),
    parentSha256: digest(parent),
  } as const;
  return { ...announced, ...signed(announced, privateKey), data: weights ?? bytes };
}

/** An update that goes back to a model the receiver still holds: its previous or its factory one. */
export function packReturn(
  options: Pick<ModelUpdate, 'version' | 'sha256' | 'parentSha256'> & { privateKey?: KeyObject },
): ModelUpdate {
  const { version, sha256, parentSha256, privateKey } = options;
  const announced = { kind: 'held', version, sha256, parentSha256 } as const;
  return { ...announced, ...signed(announced, privateKey), data: new Uint8Array(0) };
}

type Announced = Pick<ModelUpdate, 'kind' | 'version' | 'sha256' | 'parentSha256'>;

/** What is signed. The file's bytes are in it by their digest, whichever way they travel. */
export function updateStatement({ kind, version, sha256, parentSha256 }: Announced): Buffer {
  return Buffer.from(
    `depthgrad-model-update/1\nkind=${kind}\nversion=${version}\nsha256=${sha256}\nparent_sha256=${parentSha256}\n`,
  );
}

function signed(announced: Announced, key: KeyObject | undefined): Pick<ModelUpdate, 'keyId' | 'signature'> {
  if (!key) return { keyId: '', signature: new Uint8Array(0) };
  return { keyId: keyId(createPublicKey(key)), signature: sign(null, updateStatement(announced), key) };
}

/** First 16 hex digits of the SHA-256 of the public key's DER (SubjectPublicKeyInfo). */
export function keyId(publicKey: KeyObject): string {
  return digest(publicKey.export({ type: 'spki', format: 'der' })).slice(0, 16);
}

export interface UpdateRules {
  readonly runningSha256: string;
  readonly factorySha256: string;
  /** Version of the last update that was taken. */
  readonly lastVersion: number;
  /** Updates with as many bytes of data, or more, are refused. */
  readonly maxBytes: number;
  /** Where there is one, only what is signed with its private half is taken. */
  readonly publicKey?: KeyObject;
}

/** Throws ModelUpdateError where the data has too many bytes. */
export function checkSize(bytes: number, maxBytes: number): void {
  if (bytes >= maxBytes)
    throw new ModelUpdateError(`data has ${bytes} bytes, the limit (model_update_max_bytes) is ${maxBytes}`);
}

/** Everything that can be said without touching the data. Throws ModelUpdateError. */
export function checkAnnouncement(update: ModelUpdate, rules: UpdateRules): void {
  const { data, version, sha256, parentSha256 } = update;
  checkSize(data.length, rules.maxBytes);
  for (const [field, value] of Object.entries({ sha256, parent_sha256: parentSha256 })) {
    if (!/^[0-9a-f]{64}$/.test(value)) throw new ModelUpdateError(`${field} is not 64 hexadecimal digits`);
  }
  if (rules.publicKey) checkSignature(update, rules.publicKey);
  checkVersion(version);
  if (version <= rules.lastVersion) {
    throw new ModelUpdateError(`version ${version} is not newer than ${rules.lastVersion}, which was taken before`);
  }
  if (parentSha256 !== rules.runningSha256 && parentSha256 !== rules.factorySha256) {
    throw new ModelUpdateError(
      `parent_sha256 ${short(parentSha256)} is neither the running model ${short(rules.runningSha256)} nor the factory model ${short(rules.factorySha256)}`,
    );
  }
}

function checkSignature(update: ModelUpdate, publicKey: KeyObject): void {
  const expected = keyId(publicKey);
  if (update.signature.length === 0) {
    throw new ModelUpdateError(
      `signature is missing; updates must be signed with key ${expected} (model_update_public_key)`,
    );
  }
  if (update.keyId !== expected) {
    throw new ModelUpdateError(`key_id is "${update.keyId}", the key of model_update_public_key is ${expected}`);
  }
  if (!verify(null, updateStatement(update), publicKey, update.signature)) {
    throw new ModelUpdateError(`signature does not belong to this update (key ${expected})`);
  }
}

/**
 * The file an update of kind whole or weights stands for, checked to be that file and of the running model's network and sizes. Takes as long as hashing
 * the file: not for a thread that publishes.
 *
 * @param parent bytes of the model the update was made from
 * @throws ModelUpdateError
 */
export function unpackModelUpdate(update: ModelUpdate, parent: Uint8Array, running: ModelDescription): ModelFile {
  const path = `update ${update.version}`;
  const bytes = new Uint8Array(update.kind === 'weights' ? putIn(parent, update.data) : update.data); // its own buffer
  const sha256 = digest(bytes);
  if (sha256 !== update.sha256) {
    throw new ModelUpdateError(
      `sha256 is ${short(update.sha256)}, the ${update.kind === 'weights' ? 'file these weights make' : 'data'} has ${short(sha256)}: damaged or cut off on its way`,
    );
  }
  let description: ModelDescription;
  try {
    description = describeModel(path, bytes);
  } catch (error) {
    throw new ModelUpdateError((error as Error).message);
  }
  for (const field of SAME_AS_RUNNING) {
    if (description[field] !== running[field]) {
      throw new ModelUpdateError(
        `${field} is ${description[field]}, the running model's is ${running[field]}: another architecture`,
      );
    }
  }
  return { path, bytes, description };
}

const SAME_AS_RUNNING = [
  'network',
  'height',
  'width',
  'featureHeight',
  'featureWidth',
  'featureChannels',
  'intrinsicsChannel',
] as const;

function putIn(parent: Uint8Array, weights: Uint8Array): Uint8Array {
  try {
    return withWeights(parent, weights);
  } catch (error) {
    throw new ModelUpdateError(`data is not weights of the parent model: ${(error as Error).message}`);
  }
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Enough of a digest for a message. */
export function short(sha256: string): string {
  return sha256.slice(0, 12);
}
