/** Where the page's servers are. They tell it themselves, so that one build fits every place. */

export interface Settings {
  /** The gateway's GraphQL endpoint. */
  readonly endpoint: string;
  /** Where users sign in. */
  readonly issuer: string;
  /** What the issuer calls this page. */
  readonly clientId: string;
}

/** Asks the page's own server. */
export async function readSettings(): Promise<Settings> {
  const response = await fetch("/settings.json");
  if (!response.ok) throw new Error(`The page's server answered ${response.status} for its settings.`);
  return (await response.json()) as Settings;
}
