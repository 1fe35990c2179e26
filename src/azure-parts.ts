/** The way to Azure as the composition root builds it: one provider per resource, and one for all of them. */
import type { Config } from "./config";
import { AcsIdentityProvider } from "./services/azure/acs-identity-provider";
import { defaultAzureCredential } from "./services/azure/entra-credential";
import type { ProcessProvider } from "./services/azure/identity-provider";
import type { RateLimits } from "./services/azure/rate-limiter";
import { ResourceRouter } from "./services/azure/resource-router";
import type { Clock } from "./services/clock";
import type { RedisConnection } from "./services/redis/redis-connection";
import type { Events } from "./services/telemetry/events";

/** The provider of everything: the one resource's, or a router over several. */
export async function identityProvider(
  { acs: { resources, budget, deadlineMs, maxSockets } }: Config,
  redis: RedisConnection | undefined,
  clock: Clock,
  events: Events,
  onScale: Partial<RateLimits> = {},
  random?: () => number,
): Promise<ProcessProvider> {
  const entra = resources.some(({ accessKey }) => accessKey === undefined)
    ? await defaultAzureCredential()
    : undefined;
  const routed = resources.map(({ endpoint, accessKey, resourceId, weight, issuances, throughProxy }) => {
    const credential = entra && accessKey === undefined ? entra : { accessKey: accessKey ?? "" };
    const name = new URL(endpoint).host;
    const limits = { issuances, ...budget, resource: name, ...onScale };
    const options = { endpoint, credential, resourceId, throughProxy, deadlineMs, maxSockets };
    return {
      name,
      resourceId: resourceId ?? "",
      weight,
      provider: new AcsIdentityProvider(options, clock, events, limits, redis),
    };
  });
  const [only] = routed;
  return only && routed.length === 1 ? only.provider : new ResourceRouter(routed, random);
}
