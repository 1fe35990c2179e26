/** How long to wait before the next try, and the waiting. */
import type { TokenRefreshError } from "./gateway-request.ts";

/**
 * Milliseconds before the next try: exponential back-off with jitter (Brooker, "Exponential Backoff And Jitter", 2015),
 * half a second at first and a minute at most; what was refused is tried again after half a minute, five at most.
 * Never sooner than the gateway asks.
 */
export function delayMs(failures: number, { permanent, retryAfterSeconds = 0 }: TokenRefreshError): number {
  const [first, most] = permanent ? [30_000, 300_000] : [500, 60_000];
  const longest = Math.min(most, first * 2 ** Math.min(failures - 1, 10));
  return Math.max(longest * (0.5 + Math.random() / 2), retryAfterSeconds * 1_000);
}

/** Waits; at once when `signal` aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    // Longer ones would fire at once.
    const timer = setTimeout(done, Math.min(ms, 2_147_483_647));
    if (signal.aborted) done();
    else signal.addEventListener("abort", done);
  });
}
