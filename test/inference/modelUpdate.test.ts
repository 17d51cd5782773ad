import { createHash, generateKeyPairSync } from 'node:crypto';
import { describeModel } from '../../src/inference/modelFile';
import {
  checkAnnouncement,
  keyId,
  ModelUpdateError,
  packModelUpdate,
  packReturn,
  unpackModelUpdate,
  type ModelUpdate,
  type UpdateRules,
} from '../../src/inference/modelUpdate';
import { tinyModel } from '../support/tinyModel';

const parent = tinyModel();
const running = describeModel('parent', parent);
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const rules: UpdateRules = {
  runningSha256: running.sha256,
  factorySha256: 'f'.repeat(64),
  lastVersion: 4,
  maxBytes: 100_000,
};
const adapted = tinyModel({ metresAtWhite: 50 });
const rebuilt = tinyModel({ metresAtWhite: 50, inseparable: true });

test.each([
  ['weights', adapted],
  ['whole', rebuilt],
] as const)('kind %s: packed, announced and unpacked is the same file', (kind, bytes) => {
  const update = packModelUpdate({ bytes, parent, version: 5, privateKey });
  expect(update).toMatchObject({ kind, version: 5, parentSha256: running.sha256, keyId: keyId(publicKey) });
  expect(update.data.length < bytes.length).toBe(kind === 'weights');
  expect(() => checkAnnouncement(update, { ...rules, publicKey })).not.toThrow();
  const file = unpackModelUpdate(update, parent, running);
  expect(Buffer.from(file.bytes).equals(bytes)).toBe(true);
  expect(file.description.sha256).toBe(update.sha256);
  expect(file.bytes.byteLength).toBe(file.bytes.buffer.byteLength);
});

test('a return to a held model has no bytes', () => {
  const update = packReturn({ version: 6, sha256: rules.factorySha256, parentSha256: running.sha256, privateKey });
  expect(() => checkAnnouncement(update, { ...rules, publicKey })).not.toThrow();
  expect(update.data).toHaveLength(0);
});

const good = packModelUpdate({ bytes: adapted, parent, version: 5, privateKey });
const announcements: [string, Partial<ModelUpdate>, Partial<UpdateRules>, RegExp][] = [
  [
    'too many bytes',
    {},
    { maxBytes: good.data.length },
    /^data has \d+ bytes, the limit \(model_update_max_bytes\) is/,
  ],
  [
    'a version after which none could follow',
    { version: 2 ** 53 - 1 },
    {},
    /^version 9007199254740991 is above 9007199254740990/,
  ],
  ['an older version', {}, { lastVersion: 5 }, /^version 5 is not newer than 5/],
  [
    'an unknown parent',
    {},
    { runningSha256: 'a'.repeat(64) },
    /^parent_sha256 \w{12} is neither the running model a{12}/,
  ],
  ['no digest', { sha256: 'ABC' }, {}, /^sha256 is not 64 hexadecimal digits/],
  [
    'no signature',
    { signature: new Uint8Array(0) },
    { publicKey },
    /^signature is missing; updates must be signed with key/,
  ],
  [
    'the signature of another key',
    {},
    { publicKey: other.publicKey },
    /^key_id is "\w{16}", the key of model_update_public_key is/,
  ],
  [
    'the signature of another key under our name',
    { signature: packModelUpdate({ bytes: adapted, parent, version: 5, privateKey: other.privateKey }).signature },
    { publicKey },
    /^signature does not belong/,
  ],
  ['a signature cut off', { signature: good.signature.subarray(0, 20) }, { publicKey }, /^signature does not belong/],
  ['a signed update with another version', { version: 9 }, { publicKey }, /^signature does not belong/],
  ['a signed update with another file', { sha256: 'b'.repeat(64) }, { publicKey }, /^signature does not belong/],
  ['a signed update of another kind', { kind: 'held' }, { publicKey }, /^signature does not belong/],
];
test.each(announcements)('%s is refused by the field', (_, changed, rule, message) => {
  const check = (): void => checkAnnouncement({ ...good, ...changed }, { ...rules, ...rule });
  expect(check).toThrow(message);
  expect(check).toThrow(ModelUpdateError);
});

const whole = (data: Uint8Array): ModelUpdate => {
  const sha256 = createHash('sha256').update(data).digest('hex');
  return { ...good, kind: 'whole', sha256, data };
};
const contents: [string, ModelUpdate, RegExp][] = [
  ['cut off', { ...whole(adapted), data: adapted.subarray(0, 300) }, /^sha256 is \w{12}, the data has \w{12}: damaged/],
  ['of another digest', { ...whole(adapted), sha256: 'c'.repeat(64) }, /^sha256 is c{12}, the data has/],
  ['garbage of the right digest', whole(Buffer.from('no model at all '.repeat(40))), /not an ONNX file/],
  [
    'another network',
    whole(tinyModel({ metadata: { encoder: 'lite0' } })),
    /^network is depthgrad lite0, the running model's is depthgrad none: another architecture/,
  ],
  [
    'of another size',
    whole(tinyModel({ width: 128 })),
    /^width is 128, the running model's is 96: another architecture/,
  ],
  ['weights cut off', { ...good, data: good.data.subarray(0, 9) }, /^data is not weights of the parent model: /],
  [
    'weights of another parent',
    { ...good, kind: 'weights', data: packModelUpdate({ bytes: tinyModel({ white: 2 }), parent, version: 5 }).data },
    /^sha256 is \w{12}, the file these weights make has/,
  ],
];
test.each(contents)('data that is %s is refused', (_, update, message) => {
  const unpack = (): unknown => unpackModelUpdate(update, parent, running);
  expect(unpack).toThrow(message);
  expect(unpack).toThrow(ModelUpdateError);
});
