/** Numbers and times in words: short, with their units, the same width from one second to the next where it can be. */

const none = "–";
/** Between a number and its unit. */
const gap = "\u00a0";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** A count. */
export function count(value: number | null): string {
  return value === null ? none : whole.format(value);
}

/** How many there are in a second, or how many there are now. */
export function rate(value: number | null): string {
  if (value === null) return none;
  if (value === 0) return "0";
  if (value < 10) return value < 0.1 ? twoDigits.format(value) : oneDigit.format(value);
  return whole.format(value);
}

/** Milliseconds, or seconds when they are many. */
export function duration(ms: number | null): string {
  if (ms === null) return none;
  if (ms === 0) return `0${gap}ms`;
  if (ms >= 1_000) return `${twoDigits.format(ms / 1_000)}${gap}s`;
  if (ms >= 100) return `${whole.format(ms)}${gap}ms`;
  return `${(ms >= 10 ? oneDigit : twoDigits).format(ms)}${gap}ms`;
}

/** A share from 0 to 1, in per cent. */
export function share(value: number | null): string {
  if (value === null) return none;
  const percent = value * 100;
  // Nearly all is not all.
  const digits = percent >= 99.95 && value < 1 ? "99.9" : oneDigit.format(percent);
  return `${value === 1 ? "100" : value === 0 ? "0" : digits}${gap}%`;
}

/** Bytes in MB, or in GB when they are many. */
export function memory(bytes: number | null): string {
  if (bytes === null) return none;
  return bytes >= 1e9 ? `${twoDigits.format(bytes / 1e9)}${gap}GB` : `${whole.format(bytes / 1e6)}${gap}MB`;
}

/** The same for a scale, whose numbers are round: without zeros behind the point. */
export function short(text: string): string {
  return text.replace(/(\.\d*?)0+(?!\d)/, "$1").replace(/\.(?!\d)/, "");
}

/** A time of day. */
export function time(at: number): string {
  return clock.format(at);
}

/** A day and a time of day. */
export function moment(at: number): string {
  return day.format(at);
}

/** How long something has lasted: its two largest units. */
export function span(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return `0${gap}s`;
  const parts: string[] = [];
  let rest = Math.floor(seconds);
  for (const [unit, size] of units.slice(first, first + 2)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount}${gap}${unit}`);
  }
  return parts.join(" ");
}

/** An amount and what it is of. */
export function some(amount: number, one: string, many: string): string {
  return `${count(amount)}${gap}${amount === 1 ? one : many}`;
}
