import { Observable, type OperatorFunction } from 'rxjs';

/**
 * Runs `work` on one item at a time. An item that comes meanwhile waits; a still newer one takes its place, and the one
 * displaced goes to `onDropped`. So the result is never older than one run plus one waiting item, however fast the
 * source is. The stream completes after the source and the last run have ended; an error of `work` or
 * `onDropped` ends it.
 */
export function latestOnly<In, Out>(
  work: (item: In) => Promise<Out>,
  onDropped: (item: In) => void,
): OperatorFunction<In, Out> {
  return (source) =>
    new Observable<Out>((observer) => {
      let busy = false;
      let waiting: { item: In } | undefined;
      let sourceEnded = false;

      const run = (item: In): void => {
        busy = true;
        work(item).then(
          (result) => {
            // The next run starts before the result goes on: it works while this thread publishes.
            const next = waiting;
            waiting = undefined;
            busy = false;
            if (next) run(next.item);
            observer.next(result);
            if (sourceEnded && !busy) observer.complete();
          },
          (error: unknown) => observer.error(error),
        );
      };

      const subscription = source.subscribe({
        next: (item) => {
          if (!busy) run(item);
          else {
            const displaced = waiting;
            waiting = { item };
            try {
              if (displaced) onDropped(displaced.item);
            } catch (error) {
              observer.error(error); // rxjs would throw it out of a timer, where nothing catches it
            }
          }
        },
        error: (error: unknown) => observer.error(error),
        complete: () => {
          sourceEnded = true;
          if (!busy) observer.complete();
        },
      });
      return () => {
        subscription.unsubscribe();
        waiting = undefined; // else it would run after the end, for nobody
      };
    });
}
