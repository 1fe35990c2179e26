/** The structured log: JSON lines on stderr, in which nothing that looks like a token or a key survives. */
import { pino, type DestinationStream, type Logger } from "pino";

export type { DestinationStream, Logger };

/** How much is logged. */
export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
/** One of {@link logLevels}. */
export type LogLevel = (typeof logLevels)[number];

/** JSON Web Tokens, `accesskey=…` of connection strings, user and password in URLs: what each has in it, and its pattern. */
const secrets: readonly (readonly [mark: string, pattern: RegExp, replacement: string])[] = [
  ["eyJ", /eyJ[\w-]{5,}\.[\w-]*(\.[\w-]*)?/g, "[token]"],
  ["=", /(accesskey=)[^;"\\\s]+/gi, "$1[key]"],
  ["@", /(\w+:\/\/)[^/@\s"]+@/g, "$1[credentials]@"],
];

/** `text` with everything that looks like a secret replaced. */
export function scrub(text: string): string {
  let clean = text;
  for (const [mark, pattern, replacement] of secrets) {
    // Nearly every line has none of them, and to look for a mark is far quicker than a pattern.
    if (clean.includes(mark)) clean = clean.replace(pattern, replacement);
  }
  return clean;
}

/**
 * The gateway's log. Events are written so that no secret can be passed to them; scrubbing every line is the second
 * wall, for the text of foreign errors.
 */
export function createLogger(
  level: LogLevel,
  destination: DestinationStream = fileDestination(2),
  /** What lines begin with instead of their level, and another clock's time in milliseconds. */
  lines: { readonly beginning?: Readonly<Record<string, unknown>>; readonly time?: () => number } = {},
): Logger {
  const { time } = lines;
  return pino(
    {
      level,
      base: null,
      timestamp: time ? () => `,"time":"${new Date(time()).toISOString()}"` : pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => lines.beginning ?? { level: label } },
      hooks: { streamWrite: scrub },
    },
    destination,
  );
}

/** A file or a file descriptor to write lines to, each at once. A file is made if need be, readable to its owner alone. */
export function fileDestination(dest: number | string): DestinationStream {
  return pino.destination({
    dest,
    sync: true,
    ...(typeof dest === "string" ? { mkdir: true, mode: 0o600 } : {}),
  });
}
