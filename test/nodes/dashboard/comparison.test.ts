import { Comparison } from '../../../src/nodes/dashboard/comparison';
import type { EncodedPicture } from '../../../src/nodes/dashboard/encodePictures';

function depth(sec: number): EncodedPicture {
  const header = { stamp: { sec, nanosec: 0 }, frameId: '', width: 1, height: 1, encoding: '32FC1' };
  return { header, payload: Uint8Array.of(sec) };
}
const shown = (sec: number): { depth: EncodedPicture } => ({ depth: depth(sec) });

test('before is the last picture certainly of the old model, after the first certainly of the new one', () => {
  const comparison = new Comparison();
  comparison.running('a 1', 'aa');
  comparison.show(shown(1));
  comparison.running('a 1', 'aa');
  comparison.show(shown(2)); // between the last word of the old model and the first of the new one: whose it is nobody says
  expect(comparison.version).toBe(0);
  comparison.running('a 2', 'bb');
  expect(comparison.before).toMatchObject({ model: 'a 1', ...shown(1) });
  expect(comparison.after).toBeUndefined();
  comparison.show(shown(3));
  comparison.show(shown(4));
  expect(comparison.after).toMatchObject({ model: 'a 2', ...shown(3) });
  expect(comparison.version).toBe(2);
});

test('without a picture of the old model there is nothing to compare', () => {
  const comparison = new Comparison();
  comparison.running('a 1', 'aa');
  comparison.running('a 2', 'bb');
  comparison.show(shown(1));
  expect(comparison).toMatchObject({ before: undefined, after: undefined, version: 0 });
});

test('the next change takes the place of the one before', () => {
  const comparison = new Comparison();
  comparison.show(shown(1));
  comparison.running('a 1', 'aa');
  comparison.running('a 2', 'bb');
  comparison.show({ ...shown(2), camera: depth(20) });
  comparison.running('a 2', 'bb');
  comparison.running('a 1', 'aa');
  comparison.show(shown(3));
  expect(comparison.before).toMatchObject({ model: 'a 2', ...shown(2) });
  const { header, payload } = comparison.pack();
  expect(header).toMatchObject({
    before: { model: 'a 2', camera: { offset: 0, length: 1 }, depth: { offset: 8, length: 1, stamp: { sec: 2 } } },
    after: { model: 'a 1', depth: { offset: 16, length: 1 } },
  });
  expect([payload[0], payload[8], payload[16]]).toEqual([20, 2, 3]);
});
