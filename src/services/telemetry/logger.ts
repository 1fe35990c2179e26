/** The structured log: JSON lines on stderr, in which nothing that looks like a token or a key survives. */
import { pino, type Logger as PinoLogger } from "pino";
import { LineDestination, type DestinationStream } from "./line-destination";
import { scrub } from "./scrub";
import { shortLine } from "./short-line";

/** How much is logged. */
export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
/** One of {@link logLevels}. */
export type LogLevel = (typeof logLevels)[number];

/** A log whose level may change while it is in use. */
export interface Logger extends PinoLogger {
  /** Sets the level of this log and of all that were made of it with `child`. */
  setLevel(level: LogLevel): void;
}

/** Lines of their own that the log has. */
export interface LineOptions {
  /** What lines begin with instead of their level. */
  readonly beginning?: Readonly<Record<string, unknown>>;
  /** Another clock's time in milliseconds. */
  readonly time?: () => number;
  /** Takes what is secret out of a line. */
  readonly clean?: (line: string) => string;
}

/**
 * The gateway's log. Events are written so that no secret can be passed to them; scrubbing every line is the second
 * wall, for the text of foreign errors. Lines are cut before that: their texts may be of any length.
 */
export function createLogger(
  level: LogLevel,
  destination: DestinationStream = new LineDestination(2),
  lines: LineOptions = {},
): Logger {
  const { time, clean = scrub } = lines;
  const family = new Family();
  const log = pino(
    {
      level,
      base: null,
      timestamp: time ? () => `,"time":"${new Date(time()).toISOString()}"` : pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => lines.beginning ?? { level: label } },
      hooks: { streamWrite: (line) => shortLine(clean(shortLine(line))) },
      onChild: family.add,
    },
    destination,
  );
  family.add(log);
  return Object.assign(log, { setLevel: family.setLevel });
}

/** Children are forgotten, some time after they are gone, when there are so many. */
const manyChildren = 1_000;

/** A log and its children: of pino's levels, each has its own. */
class Family {
  private members: WeakRef<PinoLogger>[] = [];

  readonly add = (member: PinoLogger): void => {
    if (this.members.length >= manyChildren) this.members = this.members.filter((each) => each.deref());
    this.members.push(new WeakRef(member));
  };

  readonly setLevel = (level: LogLevel): void => {
    for (const member of this.members) {
      const log = member.deref();
      if (log) log.level = level;
    }
  };
}
