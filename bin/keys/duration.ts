/** Durations on the command line: a whole number and a unit. */
import { InvalidArgumentError } from "commander";

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
};

/** The milliseconds of `90s`, `30m`, `24h` or `7d`. Throws commander's error for an argument that is none. */
export function durationMs(text: string): number {
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = unitMs[unit];
  if (count === undefined || ms === undefined) {
    throw new InvalidArgumentError("It must be a whole number and s, m, h or d, such as 7d.");
  }
  return Number(count) * ms;
}
