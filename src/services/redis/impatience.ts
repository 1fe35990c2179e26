/** A timer that makes allowance for this process having been held up. */

/** The longest that the allowance makes a wait, in milliseconds; with a heartbeat's second, less than any promotion takes. */
const mostMs = 1_500;
/** A timer that is late by this share of its time shows that the process was held up. */
const lateShare = 0.5;

/**
 * Calls `onExpire` after `ms` milliseconds, but not while this process is too busy to read what may have come: then the
 * answer lies in the socket, and it is not Redis that is slow. Returns how to cancel it.
 */
export function impatience(ms: number, onExpire: () => void): () => void {
  const startedAt = performance.now();
  let cancelled = false;
  let timer: NodeJS.Timeout;
  const arm = () => {
    const armedAt = performance.now();
    timer = setTimeout(() => {
      const now = performance.now();
      if (now - armedAt > ms * (1 + lateShare) && now - startedAt < mostMs) {
        arm();
        return;
      }
      // What came by now is read before this.
      setImmediate(() => {
        if (!cancelled) onExpire();
      });
    }, ms);
  };
  arm();
  return () => {
    cancelled = true;
    clearTimeout(timer);
  };
}
