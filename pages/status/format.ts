/** Numbers and times as text, with their units. */

const none = "–";
/** Between a number and its unit. */
const gap = "\u00a0";

const digits = [0, 1, 2].map(
  (count) => new Intl.NumberFormat("en", { minimumFractionDigits: count, maximumFractionDigits: count }),
);
const fixed = (value: number, count: 0 | 1 | 2) => digits[count]?.format(value) ?? "";
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** A whole number. */
export function count(value: number | null): string {
  return value === null ? none : fixed(value, 0);
}

/** A rate per second. */
export function rate(value: number | null): string {
  if (value === null) return none;
  if (value === 0) return "0";
  return fixed(value, value < 0.1 ? 2 : value < 10 ? 1 : 0);
}

/** Seconds, in milliseconds below one. */
export function duration(seconds: number | null): string {
  if (seconds === null) return none;
  if (seconds >= 1) return `${fixed(seconds, seconds < 10 ? 2 : 1)}${gap}s`;
  const ms = seconds * 1_000;
  return `${fixed(ms, ms === 0 || ms >= 100 ? 0 : ms >= 10 ? 1 : 2)}${gap}ms`;
}

/** A share from 0 to 1, as a percentage. Never rounded to all or nothing. */
export function share(value: number | null): string {
  if (value === null) return none;
  if (value === 0 || value >= 1) return `${fixed(value * 100, 0)}${gap}%`;
  return `${fixed(Math.min(99.9, Math.max(0.1, value * 100)), 1)}${gap}%`;
}

/** Bytes in MB, or in GB. */
export function memory(bytes: number | null): string {
  if (bytes === null) return none;
  return bytes >= 1e9 ? `${fixed(bytes / 1e9, 2)}${gap}GB` : `${fixed(bytes / 1e6, 0)}${gap}MB`;
}

/** A time of day. */
export function time(at: number): string {
  return clock.format(at);
}

/** A length of time in its two largest units. */
export function span(seconds: number): string {
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ] as const;
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return `0${gap}s`;
  let rest = Math.floor(seconds);
  const parts = units.slice(first, first + 2).map(([unit, size]) => {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    return amount > 0 ? `${amount}${gap}${unit}` : "";
  });
  return parts.filter(Boolean).join(" ");
}
