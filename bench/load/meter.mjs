/** Times and CPU times between two moments, and what is made of a run's samples. */
import { cpuOfAll, machineSeconds } from "../lib/usage.mjs";
import { now } from "./clock.mjs";

/** Counts from now until it is stopped. `watched`: the pids of processes whose CPU time is taken, by name. */
export function startMeter(watched) {
  const startedAt = now();
  const own = process.cpuUsage();
  const machine = machineSeconds();
  const before = Object.entries(watched).map(([name, pids]) => [name, cpuOfAll(pids)]);
  return {
    result: undefined,
    stop: () => {
      const { user, system } = process.cpuUsage(own);
      const cpu = before.map(([name, seconds]) => [name, cpuOfAll(watched[name]) - seconds]);
      const load = (user + system) / 1e6;
      const { programs, stolen } = machineSeconds();
      const known = cpu.reduce((sum, [, seconds]) => sum + seconds, load);
      return {
        seconds: (now() - startedAt) / 1e3,
        cpu: { ...Object.fromEntries(cpu), load },
        /** Programs that are not watched, and other machines on the same host. */
        foreign: programs - machine.programs - known + stolen - machine.stolen,
      };
    },
  };
}

/** What is told of a run: `samples` are the times of its requests in milliseconds, `cpu` and `foreign` are in seconds. */
export function summary(samples, count, { seconds, cpu, foreign }) {
  const sorted = samples.sort();
  return {
    count,
    seconds,
    perSecond: count / seconds,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    max: quantile(sorted, 1),
    cpu,
    foreign,
  };
}

/** The value below which a share of the sorted values lies. */
export function quantile(sorted, share) {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
