/** The Ed25519 keys that model updates are signed with, from the files that parameters name. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ParameterError } from './ros/parameters';

/** The key of parameter private_key; undefined where it is empty. Throws ParameterError. */
export function readPrivateKey(path: string): KeyObject | undefined {
  return readKey('private_key', 'private', path, createPrivateKey);
}

/** The key of parameter model_update_public_key; undefined where it is empty. Throws ParameterError. */
export function readPublicKey(path: string): KeyObject | undefined {
  return readKey('model_update_public_key', 'public', path, createPublicKey);
}

function readKey(
  parameter: string,
  kind: 'private' | 'public',
  path: string,
  create: (pem: Buffer) => KeyObject,
): KeyObject | undefined {
  if (path === '') return undefined;
  let key: KeyObject;
  try {
    key = create(readFileSync(path));
  } catch (error) {
    throw new ParameterError(`parameter ${parameter}: ${path} holds no ${kind} key (${(error as Error).message})`);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new ParameterError(`parameter ${parameter}: ${path} holds a key for ${key.asymmetricKeyType}, not ed25519`);
  return key;
}
