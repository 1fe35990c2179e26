/** One function per thing worth telling; none of them has a parameter that a token would fit. */
import { randomUUID } from "node:crypto";
import type { TokenScope } from "../tokens/token-scope";
import type { Logger } from "./logger";

/** A call to Azure that is over. */
export interface UpstreamCall {
  readonly operation: string;
  readonly outcome: "ok" | "failed";
  readonly attempt: number;
  readonly durationMs: number;
  /** HTTP status, if there was an answer. */
  readonly status?: number;
  /** ACS's or the socket's error code, if it looks like one. */
  readonly code?: string;
  /** `x-ms-client-request-id`, to find the call in Azure's own logs. */
  readonly requestId?: string;
}

/** What the parts of the gateway tell. */
export interface Events {
  readonly tokenServed: (event: {
    source: "issued" | "cache";
    scopes: readonly TokenScope[];
    lifetimeMinutes: number;
  }) => void;
  readonly tokenSuperseded: () => void;
  /** A token was renewed before it was too old to be served, or could not be. */
  readonly tokenRenewed: (event: { outcome: "renewed" | "failed" }) => void;
  readonly tokensRevoked: (event: { cause: "revocation" | "deletion"; confirmed: boolean }) => void;
  /** The cache was cleared after a revocation that it was away for. */
  readonly revocationCompleted: () => void;
  readonly identityCreated: (event: { withToken: boolean }) => void;
  readonly identityDeleted: () => void;
  readonly upstreamCall: (event: UpstreamCall) => void;
  readonly storeUnavailable: (event: { operation: string; reason: string }) => void;
  readonly redisError: (reason: string) => void;
  readonly valueDidNotOpen: () => void;
  /** A fault of ours; returns the id under which the log has it. */
  readonly internalError: (error: unknown) => string;
}

/** Events as log lines. */
export function createEvents(log: Logger): Events {
  return {
    tokenServed: (event) => {
      log.debug(event, "token served");
    },
    tokenSuperseded: () => {
      log.info("a revocation overtook an issuance; its token was discarded");
    },
    tokenRenewed: (event) => {
      log[event.outcome === "renewed" ? "debug" : "warn"](event, "token renewed ahead of its end");
    },
    tokensRevoked: (event) => {
      log.info(event, "tokens revoked");
    },
    revocationCompleted: () => {
      log.info("the cache is back, and cleared of what was revoked meanwhile");
    },
    identityCreated: (event) => {
      log.info(event, "identity created");
    },
    identityDeleted: () => {
      log.info("identity deleted");
    },
    upstreamCall: (event) => {
      log[event.outcome === "ok" ? "debug" : "warn"](event, "call to Azure Communication Services");
    },
    storeUnavailable: (event) => {
      log.warn(event, "token store unavailable; going on without it");
    },
    redisError: (reason) => {
      log.warn({ reason }, "Redis connection");
    },
    valueDidNotOpen: () => {
      log.warn("a cached value did not open with any key of TOKEN_ENCRYPTION_KEYS; it counts as a miss");
    },
    internalError: (error) => {
      const errorId = randomUUID();
      log.error({ errorId, stack: error instanceof Error ? error.stack : typeof error }, "internal error");
      return errorId;
    },
  };
}
