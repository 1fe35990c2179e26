/** The signals that end a program. Loads nothing, so that they are heard before anything else is loaded. */
import { constants } from "node:os";

/**
 * Resolves when the process is asked to end: SIGINT (Ctrl-C) or SIGTERM. A second signal, whichever, ends it at once;
 * not by Node's default, which does nothing in a container, where this is process 1.
 */
export function untilAskedToEnd(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (asked) process.exit(128 + constants.signals[signal]);
        asked = true;
        resolve(signal);
      });
    }
  });
}
