import { CdrWriter } from '../../src/nodes/ros/cdr';
import { readModelAck, readModelUpdate, writeModelAck, writeModelUpdate } from '../../src/nodes/ros/modelMessages';

const stamp = { sec: 7, nanosec: 8 };
const update = {
  kind: 'weights',
  version: 2 ** 40 + 3,
  sha256: 'ab'.repeat(32),
  parentSha256: 'cd'.repeat(32),
  keyId: '0123456789abcdef',
  signature: Uint8Array.from({ length: 64 }, (_, i) => i),
  data: Uint8Array.from({ length: 1001 }, (_, i) => i),
} as const;

test('an update and an answer come out as they went in', () => {
  const read = readModelUpdate(Buffer.from(writeModelUpdate(new CdrWriter().start(), stamp, update).take()));
  expect({ ...read, signature: [...read.signature], data: [...read.data] }).toEqual({
    ...update,
    stamp,
    signature: [...update.signature],
    data: [...update.data],
  });
  const outcome = {
    updateStamp: stamp,
    accepted: false,
    reason: 'version 3 is not newer than 4',
    version: 3,
    sha256: update.sha256,
    runningVersion: 4,
    runningSha256: update.parentSha256,
    swapMilliseconds: 2.5,
  };
  expect(readModelAck(Buffer.from(writeModelAck(new CdrWriter().start(), stamp, outcome).take()))).toEqual(outcome);
});

test('a message cut off anywhere, of an unknown kind or with a number too large is a RangeError', () => {
  const bytes = Buffer.from(writeModelUpdate(new CdrWriter().start(), stamp, update).take());
  for (let length = 0; length < bytes.length; length += 13) {
    expect(() => readModelUpdate(bytes.subarray(0, length))).toThrow(RangeError);
  }
  const changed = (at: number, ...values: number[]): Buffer => {
    const copy = Buffer.from(bytes);
    copy.set(values, at);
    return copy;
  };
  expect(() => readModelUpdate(changed(12, 9))).toThrow('kind is 9; known are 0 (whole), 1 (weights) and 2 (held)');
  expect(() => readModelUpdate(changed(20 + 7, 255))).toThrow(/above 2\^53/);
});
