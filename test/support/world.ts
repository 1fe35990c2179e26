/** A world for a test: the emulator, gateways that issue through it, and a real Redis if asked for. */
import { startEmulator, type Emulator, type EmulatorOptions } from "../../emulator/emulator";
import { loadConfig, type Environment } from "../../src/config";
import { createGateway, type Gateway, type Parts } from "../../src/gateway";
import { FakeClock } from "./fake-clock";
import { GraphqlClient } from "./graphql-client";
import { recordEvents, type RecordedEvents } from "./recorded-events";
import { startRedis, type RedisServer } from "./redis-server";

export const developmentKey = "a-development-key-for-tests";
export const encryptionKeys = `first:${Buffer.alloc(32, 1).toString("base64")}`;

export interface WorldOptions {
  /** How many gateways; 1 when left out. */
  readonly gateways?: number;
  /** Start a Redis that the gateways share; each has its own in-process store otherwise. */
  readonly redis?: boolean;
  readonly environment?: Environment;
  readonly emulator?: EmulatorOptions;
  /** Several ACS resources, each an emulator of its own: the fields of each one's entry, such as `weight=2`. */
  readonly resources?: readonly string[];
  /** Parts of the gateways, beside the world's clock and events. */
  readonly parts?: Partial<Parts>;
}

export interface RunningGateway extends Gateway {
  readonly url: string;
  readonly origin: string;
  readonly metricsOrigin: string | undefined;
  /** A client with the development key. */
  readonly client: GraphqlClient;
}

export interface World extends AsyncDisposable {
  /** The first resource. */
  readonly emulator: Emulator;
  /** All resources, in the order of their entries. */
  readonly emulators: readonly Emulator[];
  readonly redis: RedisServer | undefined;
  readonly clock: FakeClock;
  readonly events: RecordedEvents;
  readonly gateways: readonly RunningGateway[];
  /** The first gateway's client. */
  readonly client: GraphqlClient;
  /** One more gateway in the same world. */
  addGateway(environment?: Environment): Promise<RunningGateway>;
}

/** A resource that no other of the same world is. */
function resourceNumber(index: number) {
  const key = (name: string) =>
    Buffer.from(`the ${name} key of resource ${index}, of a test`).toString("base64");
  return {
    id: `0e0ac5e0-0000-4000-8000-${String(index).padStart(12, "0")}`,
    primaryKey: key("primary"),
    secondaryKey: key("secondary"),
  };
}

/** All believe the first one's Entra. */
function sharedEntra([first]: readonly Emulator[]) {
  return first ? { entra: first.entra } : {};
}

/** ACS_CONNECTION_STRING for these resources, with the fields of each. */
export function entries(emulators: readonly Emulator[], fields: readonly string[]): string {
  return emulators
    .map(
      ({ connectionString, resourceId }, index) =>
        `${connectionString} resource-id=${resourceId} ${fields[index] ?? ""}`,
    )
    .join(",");
}

/** Starts it all on free loopback ports; disposing of it ends it all. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const stack: AsyncDisposable[] = [];
  const dispose = async () => {
    for (const part of stack.splice(0).reverse()) await part[Symbol.asyncDispose]();
  };
  try {
    const clock = new FakeClock();
    const events = recordEvents();
    const settings = {
      clock: () => clock.now(),
      clockSkewMs: Infinity,
      limits: false,
      ...options.emulator,
    };
    const emulators: Emulator[] = [];
    for (const index of (options.resources ?? [""]).keys()) {
      const emulator = await startEmulator(
        options.resources
          ? { ...settings, ...sharedEntra(emulators), resources: [resourceNumber(index)] }
          : settings,
      );
      stack.push(emulator);
      emulators.push(emulator);
    }
    const [emulator] = emulators;
    if (!emulator) throw new Error("A world has at least one resource.");
    const redis = options.redis ? await startRedis() : undefined;
    if (redis) stack.push(redis);
    const addGateway = async (environment: Environment = {}): Promise<RunningGateway> => {
      const config = loadConfig({
        PORT: "0",
        ACS_CONNECTION_STRING: options.resources
          ? entries(emulators, options.resources)
          : emulator.connectionString,
        DEVELOPMENT_API_KEY: developmentKey,
        ...(redis ? { REDIS_URL: redis.url, TOKEN_ENCRYPTION_KEYS: encryptionKeys } : {}),
        ...options.environment,
        ...environment,
      });
      const gateway = await createGateway(config, { clock, events, ...options.parts });
      stack.push(gateway);
      const { url, origin, metricsOrigin } = await gateway.start();
      return Object.assign(gateway, {
        url,
        origin,
        metricsOrigin,
        client: new GraphqlClient(url, { "x-api-key": developmentKey }),
      });
    };
    const gateways: RunningGateway[] = [];
    for (let count = options.gateways ?? 1; count > 0; count--) gateways.push(await addGateway());
    const [first] = gateways;
    if (!first) throw new Error("A world has at least one gateway.");
    return {
      emulator,
      emulators,
      redis,
      clock,
      events,
      gateways,
      client: first.client,
      addGateway,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
