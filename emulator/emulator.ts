/** The emulator: ACS Identity's REST data plane on a port of its own, with faults, counts and introspection. */
import { once } from "node:events";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { isIPv6, type AddressInfo, type Socket } from "node:net";
import { Control, type Introspection } from "./control";
import { Counts } from "./counts";
import { EntraStandIn } from "./entra-stand-in";
import { Faults } from "./faults";
import { Identities } from "./identities";
import { LiveSettings } from "./live-settings";
import { RateLimits } from "./rate-limits";
import { RequestHandler } from "./request-handler";
import { settingsFrom, type EmulatorOptions } from "./settings";
import { openState, StateFile } from "./state-file";
import { makeCertificates } from "./tls";

export type { EmulatorOptions, ResourceOptions } from "./settings";
export type { Fault, FaultKind } from "./fault";
export type { Introspection } from "./control";

/** A running emulator. */
export interface Emulator extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly port: number;
  /** For the first resource, with its primary key, over http. */
  readonly connectionString: string;
  /** The same with the secondary key. */
  readonly secondaryConnectionString: string;
  /** The first resource's immutable id. */
  readonly resourceId: string;
  /** Where https is served, if it is. */
  readonly https:
    { readonly url: string; readonly connectionString: string; readonly ca: string } | undefined;
  /** Makes tokens of applications and Teams users. */
  readonly entra: EntraStandIn;
  readonly faults: Pick<Faults, "add" | "clear" | "list">;
  readonly identities: Pick<Identities, "list" | "rotateKey" | "resource">;
  /** Whether a token is good, and if not, why. */
  introspect(token: string): Introspection;
  /** Calls since the start or the last reset. */
  readonly counts: Pick<Counts, "snapshot" | "reset">;
  /** The calls of one operation whose work was done. */
  worked(operation: string): number;
  /** Connections accepted so far, over http and https. */
  connections(): number;
  /** What may change while it runs. */
  readonly settings: LiveSettings;
  /** Forgets identities, counts, faults, rate windows and required claims. Keys and settings stay as they are. */
  reset(): void;
  /** Cuts every connection and writes the state file, if there is one; again does nothing. Rejects with `StateFileError`. */
  close(): Promise<void>;
  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts an emulator. Rejects with Node's error (`EADDRINUSE` …), or a `StateFileError`. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const settings = settingsFrom(options);
  const identities = new Identities(settings);
  const key = await openState(settings.stateFile, identities);
  const entra = settings.entra ?? new EntraStandIn(key, settings.clock);
  const [faults, counts] = [new Faults(settings.seed), new Counts()];
  const [limits, liveSettings] = [new RateLimits(settings), new LiveSettings(settings)];
  const control = new Control({ key, identities, faults, counts, entra, limits, settings: liveSettings });
  const handler = new RequestHandler({ settings, identities, key, entra, faults, counts, limits, control });

  const servers: Listening[] = [];
  const closeServers = async () => {
    handler.close();
    await Promise.all(servers.map((server) => server.close()));
  };
  const serve = async (scheme: string, server: Server, port: number) => {
    const listening = await listen(server, settings.host, port);
    servers.push(listening);
    const url = `${scheme}://${isIPv6(settings.host) ? `[${settings.host}]` : settings.host}:${listening.port}`;
    return { url, port: listening.port };
  };
  const serveTls = async () => {
    const { ca, key: tlsKey, cert } = await makeCertificates(settings.host);
    const server = createHttpsServer({ key: tlsKey, cert }, handler.listener(true));
    return { ...(await serve("https", server, settings.tlsPort)), ca };
  };
  try {
    const { url, port } = await serve("http", createHttpServer(handler.listener(false)), settings.port);
    const https = settings.tls ? await serveTls() : undefined;
    // Not before the ports are had: another emulator may be running on them, and on this file.
    const stateFile = new StateFile(settings.stateFile, identities, key);
    let closed: Promise<void> | undefined;
    const close = () =>
      (closed ??= closeServers().then(() => {
        stateFile.close();
      }));
    const resource = identities.resource();
    const connectionStringOf = (endpoint: string, secret: string) =>
      `endpoint=${endpoint}/;accesskey=${secret}`;
    return {
      url,
      port,
      get connectionString() {
        return connectionStringOf(url, resource.primary.secret);
      },
      get secondaryConnectionString() {
        return connectionStringOf(url, resource.secondary.secret);
      },
      resourceId: resource.id,
      https: https && {
        url: https.url,
        ca: https.ca,
        get connectionString() {
          return connectionStringOf(https.url, resource.primary.secret);
        },
      },
      entra,
      faults,
      identities,
      introspect: (token) => control.introspect(token),
      counts,
      worked: (operation) => counts.of(operation).worked,
      connections: () => servers.reduce((sum, server) => sum + server.accepted(), 0),
      settings: liveSettings,
      reset: () => {
        control.reset();
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await closeServers();
    throw error;
  }
}

interface Listening {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: () => number;
  readonly close: () => Promise<void>;
}

async function listen(server: Server, host: string, port: number): Promise<Listening> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on("connection", (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  // Node's 5 seconds are short of what pooled connections wait for; Azure's front door keeps them for minutes.
  server.keepAliveTimeout = 120_000;
  server.listen(port, host);
  await once(server, "listening");
  const close = async () => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, accepted: () => accepted, close };
}
