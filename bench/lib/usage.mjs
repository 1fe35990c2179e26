/** What processes have used: CPU time and memory, from /proc, so on Linux alone. */
import { readFileSync } from "node:fs";

/** Linux counts the CPU time of processes in hundredths of a second. */
const ticksPerSecond = 100;

/** Whether this system tells it. */
export const isKnown = process.platform === "linux";

/** Seconds of CPU that a process has used in all, or NaN where that cannot be known. */
export function cpuSeconds(pid) {
  if (!isKnown) return Number.NaN;
  // The name, in parentheses, may hold anything.
  const [, rest] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "latin1"));
  const fields = rest.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Seconds of CPU of several processes together. */
export function cpuOfAll(pids) {
  return pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
}

/** Bytes of memory that a process has now, or NaN where that cannot be known. */
export function residentBytes(pid) {
  if (!isKnown) return Number.NaN;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return Number(kilobytes) * 1024;
}

/** Seconds of CPU that programs have used on the whole machine, and that its host has given to others. */
export function machineSeconds() {
  if (!isKnown) return { programs: Number.NaN, stolen: Number.NaN };
  const [, user, nice, system, , , , , steal] = readFileSync("/proc/stat", "latin1")
    .split("\n")[0]
    .split(/ +/);
  return {
    programs: (Number(user) + Number(nice) + Number(system)) / ticksPerSecond,
    stolen: Number(steal) / ticksPerSecond,
  };
}
