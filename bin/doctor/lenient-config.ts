/** The configuration as far as it can be read: what is wrong with one variable does not keep the rest from being looked at. */
import { ConfigError, loadConfig, namesResource, type Config, type Environment } from "../../src/config";
import { rulesOf } from "../../src/config/environment";
import { ownEmulatorPort, withOwnEmulator } from "../own-emulator";

/** What could be read. */
export interface Readable {
  /** Everything that `check` would complain of. */
  readonly problems: readonly string[];
  /** Undefined when not even the rest makes a configuration. */
  readonly config: Config | undefined;
  readonly production: boolean;
  /** Why the production rules are in force, or are not. */
  readonly rulesReason: string;
  /** No resource is configured, or none that can be read; the configuration's is a stand-in then. */
  readonly standInResource: boolean;
  /** The port of the emulator that `start` would bring along; undefined when it would not. */
  readonly emulatorPort: number | undefined;
}

/** Reads the environment as `start` would, then what is left of it without the variables that are wrong. */
export function readLeniently(given: Environment): Readable {
  const { production, reason: rulesReason } = rulesOf(given);
  let [emulatorPort, problems] = [undefined as number | undefined, [] as readonly string[]];
  try {
    emulatorPort = ownEmulatorPort(given);
  } catch (error) {
    problems = [error instanceof Error ? error.message : ""];
  }
  const standIn = !namesResource(given);
  const environment = standIn && !production ? withOwnEmulator(given, emulatorPort ?? 0) : given;
  const first = tried(environment);
  problems = [...problems, ...first.problems];
  const about = { problems, production, rulesReason, emulatorPort };
  if (first.config) return { ...about, config: first.config, standInResource: standIn };
  // Problems begin with the variables that they are about.
  const wrong = new Set(
    first.problems.flatMap((problem) => {
      const [subject = ""] = /^[A-Z][A-Z0-9_]*(?:(?:, | or | and )[A-Z][A-Z0-9_]*)*/.exec(problem) ?? [];
      return subject.split(/, | or | and /);
    }),
  );
  const rest = Object.fromEntries(Object.entries(environment).filter(([name]) => !wrong.has(name)));
  // Without the rules of production, which ask for what was just left out.
  const relaxed: Environment = { ...rest, NODE_ENV: undefined };
  const resource = namesResource(relaxed);
  const second = tried(resource ? relaxed : withOwnEmulator(relaxed, 0));
  return { ...about, config: second.config, standInResource: standIn || !resource };
}

function tried(environment: Environment): { config?: Config; problems: readonly string[] } {
  try {
    return { config: loadConfig(environment), problems: [] };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems };
    throw error;
  }
}
