/** The level of the log while the gateway runs: another one for a time, and then the usual one by itself. */
import type { Clock } from "../clock";
import type { Logger, LogLevel } from "./logger";

/** The level now. */
export interface LevelInForce {
  readonly level: LogLevel;
  /** `LOG_LEVEL`. */
  readonly usual: LogLevel;
  /** When the usual one is back (RFC 3339); null: it is in force. */
  readonly until: string | null;
}

/** For how long a level stays when nobody says, in minutes: nobody need remember to put it back. */
export const defaultMinutes = 15;
/** The longest that may be asked for. */
export const maxMinutes = 24 * 60;

/** Sets the level, for whoever operates the gateway and at SIGUSR2: to `debug`, and back. */
export class LogLevelSwitch implements AsyncDisposable {
  private timer: NodeJS.Timeout | undefined;
  private until: string | null = null;

  constructor(
    private readonly log: Logger,
    private readonly usual: LogLevel,
    private readonly clock: Clock,
    /** Where SIGUSR2 is heard, which Windows does not have. */
    private readonly signals: Pick<NodeJS.EventEmitter, "on" | "off"> = process,
  ) {
    if (process.platform !== "win32") this.signals.on("SIGUSR2", this.toggle);
  }

  now(): LevelInForce {
    return { level: this.log.level as LogLevel, usual: this.usual, until: this.until };
  }

  /** Another level for so many minutes; the usual one at once when that is asked for. */
  set(level: LogLevel, minutes: number, by: "operator" | "signal" = "operator"): LevelInForce {
    clearTimeout(this.timer);
    const ms = minutes * 60_000;
    const isUsual = level === this.usual;
    this.until = isUsual ? null : new Date(this.clock.now() + ms).toISOString();
    this.timer = isUsual ? undefined : setTimeout(this.back, ms).unref();
    this.change(level, by);
    return this.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.timer);
    this.signals.off("SIGUSR2", this.toggle);
    return Promise.resolve();
  }

  private readonly toggle = (): void => {
    const isUsual = this.until === null;
    // Whoever has `debug` already wants more.
    const other = this.usual === "debug" ? "trace" : "debug";
    this.set(isUsual ? other : this.usual, defaultMinutes, "signal");
  };

  private readonly back = (): void => {
    this.until = null;
    this.change(this.usual, "time");
  };

  /** Told as a warning, before the log gets quieter or after it got louder, so that most levels let it pass. */
  private change(level: LogLevel, by: "operator" | "signal" | "time"): void {
    const { levels } = this.log;
    const from = this.log.level as LogLevel;
    const valueOf = (name: LogLevel) => levels.values[name] ?? Infinity;
    const tell = () => {
      this.log.warn({ from, to: level, until: this.until, by }, "the level of the log is changed");
    };
    const isQuieter = valueOf(level) > valueOf(from);
    if (isQuieter) tell();
    this.log.setLevel(level);
    if (!isQuieter) tell();
  }
}
