import { compose, fromVector6, inverse, toVector6, type Se3 } from '../../src/geometry/se3';
import { CdrWriter } from '../../src/nodes/ros/cdr';
import {
  LONGEST_NAME,
  MOST_FRAMES,
  readTransforms,
  TransformTree,
  writeTransform,
  type Transform,
} from '../../src/nodes/ros/transforms';

const stamp = { sec: 7, nanosec: 8 };
const link = (parent: string, child: string, pose: Se3): Transform => ({
  header: { stamp, frameId: parent },
  child,
  pose,
});
const mast = fromVector6([0.2, 0, 1.4, 0, 0.1, 0]);
const head = fromVector6([0.1, 0.05, 0.3, 0, 0, 0.7]);
const lens = fromVector6([0.02, 0, 0, -1.2, 1.2, -1.2]);
const wheel = fromVector6([-0.3, 0.4, 0, 0, 0, 0.2]);

function tree(): TransformTree {
  const frames = new TransformTree();
  for (const one of [
    link('head', 'lens', lens),
    link('base', 'mast', mast),
    link('mast', 'head', head),
    link('base', 'wheel', wheel),
  ])
    frames.add(one);
  return frames;
}

const near = (got: Se3 | undefined, expected: Se3): void =>
  toVector6(got!).forEach((value, i) => expect(value).toBeCloseTo(toVector6(expected)[i], 12));

test('a frame is found in one above it, below it and beside it', () => {
  const inBase = compose(compose(mast, head), lens);
  near(tree().find('lens', 'base'), inBase);
  near(tree().find('base', 'lens'), inverse(inBase));
  near(tree().find('lens', 'wheel'), compose(inverse(wheel), inBase));
  near(tree().find('lens', 'lens'), fromVector6([0, 0, 0, 0, 0, 0]));
});

test('what is not connected is not found, and circles end', () => {
  const frames = tree();
  frames.add(link('a', 'b', mast));
  frames.add(link('b', 'a', mast));
  for (const [frame, within] of [
    ['lens', 'moon'],
    ['moon', 'lens'],
    ['a', 'lens'],
    ['lens', 'a'],
  ])
    expect(frames.find(frame, within)).toBeUndefined();
});

test('the newest transform counts, and one that is no number does not', () => {
  const frames = tree();
  frames.add(link('base', 'mast', { ...mast, translation: Float64Array.of(NaN, 0, 0) }));
  near(frames.find('mast', 'base'), mast);
  frames.add(link('base', 'mast', wheel));
  near(frames.find('mast', 'base'), wheel);
});

test('new names do not fill the memory: what is known goes on, what comes above the bound is refused by its cause', () => {
  const frames = tree();
  for (let i = 0; i < 2 * MOST_FRAMES; i++) frames.add(link('base', `thing ${i}`, wheel));
  expect(frames.add(link('base', 'one more', wheel))).toBe('beyond the first 10000');
  expect(frames.find('one more', 'base')).toBeUndefined();
  expect(frames.find(`thing ${MOST_FRAMES}`, 'base')).toBeUndefined();
  near(frames.find('thing 9000', 'base'), wheel);
  expect(frames.add(link('base', 'mast', wheel))).toBeUndefined();
  near(frames.find('mast', 'base'), wheel);
});

test('nor do long ones', () => {
  const [frames, long] = [new TransformTree(), 'x'.repeat(LONGEST_NAME + 1)];
  for (const one of [link('base', long, wheel), link(long, 'mast', wheel)])
    expect(frames.add(one)).toBe('with a name of more than 256 characters');
  expect(frames.add(link('base', long.slice(1), wheel))).toBeUndefined();
});

test('messages are read as they were written', () => {
  const [got] = readTransforms(Buffer.from(writeTransform(new CdrWriter().start(), link('base', 'mast', mast)).take()));
  expect(got).toMatchObject({ header: { stamp, frameId: 'base' }, child: 'mast' });
  near(got.pose, mast);
  expect(() => readTransforms(Buffer.from([0, 1, 0, 0, 2, 0, 0, 0]))).toThrow(RangeError);
});
