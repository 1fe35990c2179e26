/** Clocks that move only when a test says so, while timers and sockets run: for pauses of gateways on real sockets. */
import { jest } from "@jest/globals";

/** `Date` and `performance` stand still from now on, until `jest.useRealTimers()`. */
export function stopClocks(): void {
  jest.useFakeTimers({
    doNotFake: [
      "hrtime",
      "nextTick",
      "queueMicrotask",
      "setImmediate",
      "clearImmediate",
      "setInterval",
      "clearInterval",
      "setTimeout",
      "clearTimeout",
    ],
  });
}

/** Moves them. No timer fires because of it: what a pause is measured with says that it is over. */
export function advanceClocks(ms: number): void {
  jest.advanceTimersByTime(ms);
}
