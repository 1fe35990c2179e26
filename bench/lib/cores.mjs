/** Which core serves and which one does everything else, where the machine has two and a way to say so. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The cores that this process may run on; empty where that cannot be known. */
function allowedCores() {
  try {
    const [, list] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"));
    return list.split(",").flatMap((range) => {
      const [first, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
  } catch {
    return [];
  }
}

function hasTaskset() {
  try {
    execFileSync("taskset", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const cores = hasTaskset() ? allowedCores() : [];

/** Whether servers and load have a core each. */
export const isPinned = cores.length >= 2;

/** The core of each role; undefined where nothing is pinned. */
export const coreOf = isPinned
  ? { server: cores[0], load: cores[1] }
  : { server: undefined, load: undefined };

/** The command that runs `program` on the core of `role`. `taskset` becomes the program, so its pid is the program's. */
export function pinned(role, program, args) {
  const core = coreOf[role];
  return core === undefined ? [program, args] : ["taskset", ["-c", String(core), program, ...args]];
}
