/** When a gateway brings its own emulator along, and how it is then configured. */
import { developmentAccessKey } from "../emulator/development";
import { namesResource, type Environment } from "../src/config";
import { isProduction } from "../src/config/environment";
import { StartupError } from "../src/startup-error";

/**
 * The port of the emulator to bring along (0: any free one); undefined when an ACS resource is configured, and in
 * production. Throws `StartupError` when EMULATOR_PORT is not a port.
 */
export function ownEmulatorPort(environment: Environment): number | undefined {
  if (namesResource(environment) || isProduction(environment)) return undefined;
  const text = environment.EMULATOR_PORT?.trim() ?? "";
  const port = text === "" ? 4010 : Number(text);
  if (!/^\d*$/.test(text) || port > 65535) {
    throw new StartupError("EMULATOR_PORT must be a whole number from 0 to 65535.");
  }
  return port;
}

/** The environment of a gateway whose emulator is expected on `port`. */
export function withOwnEmulator(environment: Environment, port: number): Environment {
  const connectionString = `endpoint=http://127.0.0.1:${port}/;accesskey=${developmentAccessKey}`;
  return { ...environment, ACS_CONNECTION_STRING: connectionString };
}
