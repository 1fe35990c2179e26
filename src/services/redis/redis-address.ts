/** Where Redis is and how it is run, read from one URL: standalone, behind Sentinel, or a Cluster. */

/** A host and port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What a Redis URL says. */
export interface RedisAddress {
  readonly kind: "standalone" | "sentinel" | "cluster";
  readonly tls: boolean;
  /** The server; the sentinels; or some nodes of the cluster, from which the others are learned. */
  readonly endpoints: readonly Endpoint[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** The database's number; a Cluster has only 0. */
  readonly database: number;
  /** The name under which the sentinels know the primary. */
  readonly primaryName: string;
}

/** The forms, for messages. */
export const redisUrlForms =
  "redis://host:6379, redis-sentinel://host:26379,host:26379/0#primary-name or redis-cluster://host:6379,host:6379 (with TLS rediss…), user:password@ before the first host";

const schemes: Readonly<Record<string, Pick<RedisAddress, "kind" | "tls">>> = {
  redis: { kind: "standalone", tls: false },
  rediss: { kind: "standalone", tls: true },
  "redis-sentinel": { kind: "sentinel", tls: false },
  "rediss-sentinel": { kind: "sentinel", tls: true },
  "redis-cluster": { kind: "cluster", tls: false },
  "rediss-cluster": { kind: "cluster", tls: true },
};

const form = /^([a-z-]+):\/\/(?:(.*)@)?([^/?#@]+)(?:\/(\d{0,3}))?(?:#([\w.-]+))?$/i;

/**
 * Reads a URL of one of the {@link redisUrlForms}; undefined when it is none. Several hosts are separated by commas,
 * as in Lettuce's `redis-sentinel://`. User and password are percent-encoded.
 */
export function parseRedisUrl(url: string): RedisAddress | undefined {
  const [, scheme = "", login, hosts = "", database, fragment] = form.exec(url) ?? [];
  const known = schemes[scheme.toLowerCase()];
  if (!known) return undefined;
  const endpoints = hosts.split(",").map((host) => endpointOf(host, known.kind));
  const credentials = credentialsOf(login);
  const many = known.kind !== "standalone";
  if (!credentials || endpoints.includes(undefined)) return undefined;
  if ((!many && endpoints.length > 1) || (fragment !== undefined && known.kind !== "sentinel"))
    return undefined;
  if (known.kind === "cluster" && Number(database ?? 0) !== 0) return undefined;
  return {
    ...known,
    ...credentials,
    endpoints: endpoints.filter((endpoint) => endpoint !== undefined),
    database: Number(database ?? 0),
    primaryName: fragment ?? "mymaster",
  };
}

/** The address for people: without user and password. */
export function addressText({ endpoints }: RedisAddress): string {
  return endpoints.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(", ");
}

function endpointOf(text: string, kind: RedisAddress["kind"]): Endpoint | undefined {
  const [, bracketed, plain, port] =
    /^(?:\[([\da-f:]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text.trim()) ?? [];
  const host = bracketed ?? plain;
  const number = Number(port ?? (kind === "sentinel" ? 26379 : 6379));
  return host === undefined || number < 1 || number > 65_535 ? undefined : { host, port: number };
}

function credentialsOf(login: string | undefined): Pick<RedisAddress, "username" | "password"> | undefined {
  if (login === undefined || login === "") return { username: undefined, password: undefined };
  const [user = "", ...rest] = login.split(":");
  try {
    const username = decodeURIComponent(user);
    const password = decodeURIComponent(rest.join(":"));
    return { username: username || undefined, password: password || undefined };
  } catch {
    return undefined;
  }
}
