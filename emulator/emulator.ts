/** The emulator: ACS Identity's REST data plane on a port of its own, with faults, counts and introspection. */
import { once } from "node:events";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { Control, type Introspection } from "./control";
import { Counts } from "./counts";
import { EntraStandIn } from "./entra-stand-in";
import { Faults } from "./faults";
import { Identities } from "./identities";
import { RateLimits } from "./rate-limits";
import { RequestHandler } from "./request-handler";
import { settingsFrom, type EmulatorOptions } from "./settings";
import { openState, StateFile } from "./state-file";
import { makeCertificates } from "./tls";

export type { EmulatorOptions, ResourceOptions } from "./settings";
export type { Fault, FaultKind } from "./faults";
export type { Introspection } from "./control";

/** A running emulator. Disposing of it cuts every connection and writes the state file, if there is one. */
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
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts an emulator. Rejects with Node's error (`EADDRINUSE` …) when a port cannot be had. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const settings = settingsFrom(options);
  const identities = new Identities(settings);
  const key = await openState(settings.stateFile, identities);
  const stateFile = new StateFile(settings.stateFile, identities, key);
  const entra = new EntraStandIn(key, settings.clock);
  const [faults, counts] = [new Faults(settings.seed), new Counts()];
  const control = new Control({ key, identities, faults, counts, entra });
  const limits = new RateLimits(settings);
  const handler = new RequestHandler({ settings, identities, key, entra, faults, counts, limits, control });

  const http = await listen(createHttpServer(handler.listener(false)), settings.host, settings.port);
  const connectionStringOf = (url: string, secret: string) => `endpoint=${url}/;accesskey=${secret}`;
  const resource = identities.resource();
  const { host } = settings;
  const url = `http://${host}:${http.port}`;
  const https = settings.tls ? await serveTls() : undefined;

  async function serveTls() {
    const { ca, key: tlsKey, cert } = await makeCertificates(host);
    const server = createHttpsServer({ key: tlsKey, cert }, handler.listener(true));
    const listening = await listen(server, host, settings.tlsPort).catch(async (error: unknown) => {
      await http.close();
      throw error;
    });
    const httpsUrl = `https://${host}:${listening.port}`;
    const connectionString = connectionStringOf(httpsUrl, resource.primary.secret);
    return { url: httpsUrl, connectionString, ca, close: listening.close };
  }

  return {
    url,
    port: http.port,
    get connectionString() {
      return connectionStringOf(url, resource.primary.secret);
    },
    get secondaryConnectionString() {
      return connectionStringOf(url, resource.secondary.secret);
    },
    resourceId: resource.id,
    https: https && { url: https.url, connectionString: https.connectionString, ca: https.ca },
    entra,
    faults,
    identities,
    introspect: (token) => control.introspect(token),
    counts,
    worked: (operation) => counts.of(operation).worked,
    [Symbol.asyncDispose]: async () => {
      await http.close();
      await https?.close();
      stateFile.flush();
    },
  };
}

async function listen(server: Server, host: string, port: number) {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(port, host);
  await once(server, "listening");
  const close = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    if (server.listening) await once(server, "close");
  };
  return { port: (server.address() as AddressInfo).port, close };
}
