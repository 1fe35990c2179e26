/** `resource-id`: asks each ACS resource for its immutable id, which a gateway with several must be told. */
import { identityProvider } from "../src/azure-parts";
import { loadConfig, processEnvironment, type Environment } from "../src/config";
import { parseConnectionStrings, parseEndpoints, type NamedResource } from "../src/config/acs-resources";
import { GatewayError } from "../src/errors";
import { StartupError } from "../src/startup-error";
import { systemClock } from "../src/services/clock";
import { resourceOf } from "../src/services/identities/identity-id";
import { createEvents } from "../src/services/telemetry/events";
import { createLogger } from "../src/services/telemetry/logger";

/**
 * Writes a line for each resource of the environment to stdout. Nothing but an identity has the id in it, so each
 * resource makes one, which is deleted at once. Throws `StartupError`.
 */
export async function tellResourceIds(): Promise<void> {
  const environment = processEnvironment();
  for (const resource of namedIn(environment)) {
    const { host } = new URL(resource.endpoint);
    process.stdout.write(`${host} resource-id=${await idOf(resource, host, environment)}\n`);
  }
}

function namedIn({ ACS_CONNECTION_STRING: strings, ACS_ENDPOINT: endpoints }: Environment) {
  const named: NamedResource[] = [];
  for (const [name, text, parse] of [
    ["ACS_CONNECTION_STRING", strings, parseConnectionStrings],
    ["ACS_ENDPOINT", endpoints, parseEndpoints],
  ] as const) {
    if (!text) continue;
    const { value, problem } = parse(text);
    if (problem !== undefined) throw new StartupError(`${name} ${problem}.`);
    named.push(...value);
  }
  if (named.length === 0) {
    throw new StartupError("ACS_CONNECTION_STRING or ACS_ENDPOINT must be set: whose id is asked for?");
  }
  return named;
}

async function idOf(
  { endpoint, accessKey }: NamedResource,
  host: string,
  { HTTPS_PROXY, https_proxy }: Environment,
): Promise<string> {
  // As a gateway with this resource alone, which learns its id.
  const config = loadConfig({
    HTTPS_PROXY,
    https_proxy,
    ...(accessKey === undefined
      ? { ACS_ENDPOINT: endpoint }
      : { ACS_CONNECTION_STRING: `endpoint=${endpoint}/;accesskey=${accessKey}` }),
  });
  const events = createEvents(createLogger("warn"));
  await using azure = await identityProvider(config, undefined, systemClock, events);
  try {
    const { identityId } = await azure.createIdentity(undefined, {});
    await azure.deleteIdentity(identityId, {});
    return resourceOf(identityId) ?? "";
  } catch (error) {
    throw error instanceof GatewayError ? new StartupError(`${host}: ${error.message}`) : error;
  }
}
