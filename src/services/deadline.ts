/** A deadline that keeps: an abort signal that fires when the time is over, or when an earlier signal does. */

/** A running deadline. Disposing of it stops its timer. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * A deadline in `ms` milliseconds, or when `earlier` aborts. Not `AbortSignal.timeout`: one that only
 * `AbortSignal.any` refers to is garbage to Node 20, and then it never fires. A timer's own controller stays.
 */
export function startDeadline(ms: number, earlier?: AbortSignal): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new DOMException("The deadline is over.", "TimeoutError"));
  }, ms);
  return {
    signal: earlier ? AbortSignal.any([earlier, controller.signal]) : controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
    },
  };
}
