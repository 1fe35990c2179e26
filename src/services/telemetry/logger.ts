/** The structured log: JSON lines on stderr, in which nothing that looks like a token or a key survives. */
import { pino, type DestinationStream, type Logger } from "pino";

export type { Logger };

/** How much is logged. */
export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
/** One of {@link logLevels}. */
export type LogLevel = (typeof logLevels)[number];

/** JSON Web Tokens, `accesskey=…` of connection strings, user and password in URLs. */
const secrets: readonly [RegExp, string][] = [
  [/eyJ[\w-]{5,}\.[\w-]*(\.[\w-]*)?/g, "[token]"],
  [/(accesskey=)[^;"\\\s]+/gi, "$1[key]"],
  [/(\w+:\/\/)[^/@\s"]+@/g, "$1[credentials]@"],
];

/** `text` with everything that looks like a secret replaced. */
export function scrub(text: string): string {
  return secrets.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), text);
}

/**
 * The gateway's log. Events are written so that no secret can be passed to them; scrubbing every line is the second
 * wall, for the text of foreign errors.
 */
export function createLogger(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: scrub },
    },
    destination,
  );
}
