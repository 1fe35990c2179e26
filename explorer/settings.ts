/** Reads what the gateway tells the explorer to start with. */

/** The answer of /explorer/settings.json. */
export interface Settings {
  /** The path of the GraphQL endpoint. */
  readonly endpoint: string;
  /** The GraphQL document to begin with. */
  readonly operations: string;
}

/** Asks the gateway that served this page. */
export async function readSettings(): Promise<Settings> {
  const response = await fetch(`${import.meta.env.BASE_URL}settings.json`);
  if (!response.ok) throw new Error(`The gateway answered ${response.status} when asked for the settings.`);
  return (await response.json()) as Settings;
}
