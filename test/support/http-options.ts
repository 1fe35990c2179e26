/** The HTTP server of a test that brings a schema of its own. */
import type { HttpOptions } from "../../src/server/http-server";

/** A free loopback port, and limits that no test reaches by accident. */
export const httpOptions: HttpOptions = {
  host: "127.0.0.1",
  port: 0,
  bodyLimitBytes: 100_000,
  corsOrigins: [],
  requestTimeoutMs: 10_000,
  headersTimeoutMs: 10_000,
  keepAliveTimeoutMs: 5_000,
  drainTimeoutMs: 5_000,
};
