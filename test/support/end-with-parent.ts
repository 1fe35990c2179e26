/** Children of a test end with it, however it ends: Jest never runs what a test hangs on the process's "exit". */
import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";

/** A shell that waits for its input to end, which the kernel sees to when the test's process dies of anything. */
const watch = 'read -r _; kill -s KILL -- "$0"';

/**
 * Has `child` killed when this process dies first; its whole process group when it was spawned `detached` and
 * `options.group` is set.
 */
export function endWithParent(child: ChildProcess, options: { readonly group?: boolean } = {}): void {
  if (child.pid === undefined) return;
  const target = options.group ? -child.pid : child.pid;
  // In a session of its own, so that the Ctrl-C that ends the test does not end the watch first.
  const watcher = spawn("/bin/sh", ["-c", watch, String(target)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // Neither of them keeps Jest from ending when a test has timed out and disposes of nothing.
  for (const each of [watcher, child]) {
    each.unref();
    for (const pipe of each.stdio) (pipe as Socket | null | undefined)?.unref();
  }
  child.once("exit", () => watcher.kill("SIGKILL"));
}
