/** The variables of the environment as the gateway reads them, and which rules NODE_ENV asks for. */

/** Variables and their values; `process.env` fits. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process, trimmed. */
export function processEnvironment(): Environment {
  return trimmed(process.env);
}

/**
 * The variables that are set, without white space around their values: files with Windows line endings and YAML leave
 * carriage returns and spaces there. An empty variable is not set: that is how Compose and Kubernetes leave them out.
 */
export function trimmed(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => {
      const text = value?.trim();
      return text ? [[name, text]] : [];
    }),
  );
}

/** Whether the environment names an ACS resource; without one, a development gateway may bring the emulator along. */
export function namesResource(environment: Environment): boolean {
  const { ACS_CONNECTION_STRING, ACS_ENDPOINT } = trimmed(environment);
  return ACS_CONNECTION_STRING !== undefined || ACS_ENDPOINT !== undefined;
}

/** The rules in force. */
export interface Rules {
  readonly production: boolean;
  /** What decided it, for people: `NODE_ENV is "staging", …`. */
  readonly reason: string;
}

const longestName = 40;

/** Only an environment that is known to be for development has its rules; a misspelled one gets those of production. */
export function rulesOf({ NODE_ENV }: { readonly NODE_ENV?: string | undefined }): Rules {
  const given = NODE_ENV?.trim() ?? "";
  if (given === "") return { production: false, reason: "NODE_ENV is not set" };
  const name = given.toLowerCase();
  const is = `NODE_ENV is ${JSON.stringify(given.length > longestName ? `${given.slice(0, longestName)}…` : given)}`;
  if (name === "development" || name === "test") return { production: false, reason: is };
  const why = name === "production" ? "" : ", and all but development and test have the production rules";
  return { production: true, reason: is + why };
}

/** Whether the production rules are in force. */
export function isProduction(environment: { readonly NODE_ENV?: string | undefined }): boolean {
  return rulesOf(environment).production;
}
