import { compose, fromVector6, inverse, toVector6, type Se3 } from '../../src/geometry/se3';
import { CdrWriter } from '../../src/nodes/ros/cdr';
import { readTransforms, TransformTree, writeTransform, type Transform } from '../../src/nodes/ros/transforms';

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

test('the newest transform counts', () => {
  const frames = tree();
  frames.add(link('base', 'mast', wheel));
  near(frames.find('mast', 'base'), wheel);
});

test('a circle is opened where it is older, and made-up names come to an end', () => {
  const frames = tree();
  const circle = frames.add(link('lens', 'base', mast));
  expect(circle?.message).toBe('circle of base below lens: mast is no longer below base');
  near(frames.find('base', 'lens'), mast);
  expect(frames.find('lens', 'mast')).toBeDefined();
  const faults = Array.from({ length: 10_001 }, (_, i) => frames.add(link('base', `made up ${i}`, mast)));
  expect(faults.filter(Boolean).length).toBe(5);
  expect(faults.at(-1)!.message).toBe('frames are 10000 already; made up 10000 is one too many');
  expect(frames.add(link('base', 'wheel', mast))).toBeUndefined(); // known ones still move
});

test('messages are read as they were written', () => {
  const message = Buffer.from(writeTransform(new CdrWriter().start(), link('base', 'mast', mast)).take());
  const [got] = readTransforms(message).transforms;
  expect(got).toMatchObject({ header: { stamp, frameId: 'base' }, child: 'mast' });
  near(got.pose, mast);
  expect(() => readTransforms(Buffer.from([0, 1, 0, 0, 2, 0, 0, 0]))).toThrow(RangeError);
});
