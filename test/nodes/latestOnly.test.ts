import { Subject } from 'rxjs';
import { latestOnly } from '../../src/nodes/latestOnly';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp() {
  const source = new Subject<number>();
  const started: number[] = [];
  const results: number[] = [];
  const dropped: number[] = [];
  let finish: (value: number) => void = () => undefined;
  let completed = false;
  const work = (item: number): Promise<number> => {
    started.push(item);
    return new Promise((resolve) => (finish = resolve));
  };
  const running = source.pipe(latestOnly(work, (item) => dropped.push(item))).subscribe({
    next: (result) => results.push(result),
    complete: () => (completed = true),
  });
  return {
    source,
    started,
    results,
    dropped,
    finish: async (value: number) => {
      finish(value);
      await settle();
    },
    isComplete: () => completed,
    end: () => running.unsubscribe(),
  };
}

test('while one is in work the newest waits and the older ones are dropped', async () => {
  const { source, started, results, dropped, finish } = setUp();
  [1, 2, 3, 4].forEach((item) => source.next(item));
  expect(started).toEqual([1]);
  expect(dropped).toEqual([2, 3]);
  await finish(10);
  expect(results).toEqual([10]);
  expect(started).toEqual([1, 4]);
  await finish(40);
  expect(results).toEqual([10, 40]);
  source.next(5);
  expect(started).toEqual([1, 4, 5]);
});

test('what waits at the end is not run any more', async () => {
  const { source, started, results, finish, end } = setUp();
  [1, 2].forEach((item) => source.next(item));
  end();
  await finish(10);
  expect({ started, results }).toEqual({ started: [1], results: [] });
});

test('completes after the waiting item, not before', async () => {
  const { source, results, finish, isComplete } = setUp();
  source.next(1);
  source.next(2);
  source.complete();
  await finish(10);
  expect(isComplete()).toBe(false);
  await finish(20);
  expect(results).toEqual([10, 20]);
  expect(isComplete()).toBe(true);
});

test('an error of onDropped is an error of the stream, as one of work is', () => {
  const source = new Subject<number>();
  const errors: string[] = [];
  const drop = (item: number): never => {
    throw new Error(`${item} cannot be dropped`);
  };
  source
    .pipe(latestOnly(() => new Promise<number>(() => undefined), drop))
    .subscribe({ error: ({ message }: Error) => errors.push(message) });
  [1, 2, 3, 4].forEach((item) => source.next(item));
  expect(errors).toEqual(['2 cannot be dropped']);
});
