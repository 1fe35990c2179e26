/** One function per thing worth telling; none of them has a parameter that a token would fit. */
import { randomUUID } from "node:crypto";
import type { TokenScope } from "../tokens/token-scope";
import type { Logger } from "./logger";

/** A call to Azure that is over. */
export interface UpstreamCall {
  /** The resource's host. */
  readonly resource: string;
  readonly operation: string;
  readonly outcome: "ok" | "failed";
  readonly attempt: number;
  readonly durationMs: number;
  /** HTTP status, if there was an answer. */
  readonly status?: number;
  /** ACS's or the socket's error code, if it looks like one. */
  readonly code?: string;
  /** Whoever waited for it has gone. */
  readonly cancelled?: true;
  /** `x-ms-client-request-id`, to find the call in Azure's own logs. */
  readonly requestId?: string;
}

/** Takes the durations of a script's calls. */
interface RedisCalls {
  observe(seconds: number): void;
}

/** A create after which an identity that nobody uses may be left at ACS. */
export interface CreateOutcomeUnknown {
  /** The answer was lost, the identity could not be deleted, or a replica died while it created a user's identity. */
  readonly cause: "answerLost" | "notDeleted" | "claimExpired";
  /** Since the caller gave up, or since the claim. */
  readonly ageMs: number;
}

/** What the parts of the gateway tell. */
export interface Events {
  /** At start, before all else: which rules are in force, and why. */
  readonly rulesInForce: (event: { production: boolean; reason: string }) => void;
  readonly tokenServed: (event: {
    source: "issued" | "cache";
    scopes: readonly TokenScope[];
    lifetimeMinutes: number;
  }) => void;
  /** A request was answered by another one's issuance, in this process or at another replica. */
  readonly flightJoined: (where: "process" | "replica") => void;
  readonly tokenSuperseded: () => void;
  /** A token was renewed before it was too old to be served, or could not be. */
  readonly tokenRenewed: (event: { outcome: "renewed" | "failed" }) => void;
  readonly tokensRevoked: (event: { cause: "revocation" | "deletion"; confirmed: boolean }) => void;
  /** The cache was cleared after a revocation that it was away for. */
  readonly revocationCompleted: () => void;
  /** The gateway ends, and the cache knows nothing of revocations of so many identities. */
  readonly revocationsUnfinished: (identities: number) => void;
  readonly identityCreated: (event: { withToken: boolean }) => void;
  readonly identityDeleted: () => void;
  /** An identity that no caller received was deleted, so long after its caller gave up. */
  readonly orphanDeleted: (event: { ageMs: number }) => void;
  /** Once for each create. */
  readonly createOutcomeUnknown: (event: CreateOutcomeUnknown) => void;
  readonly upstreamCall: (event: UpstreamCall) => void;
  /** Calls of an operation are held back from now on, or let through again. */
  readonly upstreamCircuit: (event: {
    resource: string;
    operation: string;
    state: "open" | "closed";
  }) => void;
  /** A resource names its identities by another immutable id than the configuration gives it; what it made was deleted. */
  readonly resourceMistaken: (event: {
    resource: string;
    configured: string;
    named: string | undefined;
  }) => void;
  /** The shared count of requests to Azure could not be asked; the gateway keeps to its share. */
  readonly budgetUnavailable: (reason: string) => void;
  readonly storeUnavailable: (event: { operation: string; reason: string }) => void;
  readonly redisError: (reason: string) => void;
  /** Redis, or a primary of its Cluster, is not asked from now on; once per outage. */
  readonly redisAway: (event: { node: string; reason: string }) => void;
  readonly redisBack: (event: { node: string; awayMs: number }) => void;
  /** Where the calls of a script are told; asked once for each script. */
  readonly redisCalls: (script: string) => RedisCalls;
  /** At start: a primary that is cut off from its replicas would go on answering. */
  readonly redisUnfenced: (node: string) => void;
  /** A revocation could not be told to the subscribers at other replicas, or those here are not told of others'. */
  readonly noticesUnavailable: (reason: string) => void;
  readonly valueDidNotOpen: () => void;
  /** The key file has other keys now: their ids, the sealing one first. */
  readonly keyRingChanged: (keyIds: readonly string[]) => void;
  /** The key file is wrong, and the keys of before stay in force; `reason` has nothing of its content. */
  readonly keyRingRejected: (reason: string) => void;
  /** The API key file has other keys now: their names. */
  readonly apiKeysChanged: (names: readonly string[]) => void;
  /** The API key file is wrong, and the keys of before stay in force; `reason` has nothing of its content. */
  readonly apiKeysRejected: (reason: string) => void;
  /** The server serves TLS with another certificate now: its SHA-256 fingerprint and its end. */
  readonly tlsChanged: (event: { fingerprint: string; validTo: string }) => void;
  /** The certificate and its key are wrong, and those of before stay in force; `reason` has nothing of their content. */
  readonly tlsRejected: (reason: string) => void;
  /** A request says that it came through a proxy, and no proxy is trusted; once per process. */
  readonly proxyNotTrusted: () => void;
  /** An issuer's public keys were fetched and are others than before: their ids. */
  readonly issuerKeysChanged: (event: { issuer: string; keyIds: readonly string[] }) => void;
  /** An issuer could not be asked for its keys; those there are stay in use for a day. */
  readonly issuerUnavailable: (event: { issuer: string; reason: string }) => void;
  /** The directory of users' identities could not be asked. */
  readonly directoryUnavailable: (event: { operation: string; reason: string }) => void;
  /** The receiver of traces takes no spans, or too few; once per outage. `reason` is a short code. */
  readonly spansLost: (reason: string) => void;
  /** It takes them again: how many were lost. */
  readonly spansSentAgain: (event: { lost: number }) => void;
  /** The process was asked to end: it is served on for this long, and then finishes what is in flight. */
  readonly draining: (event: { delayMs: number }) => void;
  /** The audit cannot be written, so nothing is done that it has to record; told once, with the system's code. */
  readonly auditUnwritable: (code: string) => void;
  /** A fault of ours; returns the id under which the log has it. */
  readonly internalError: (error: unknown) => string;
}

/** Events as log lines. */
export function createEvents(log: Logger): Events {
  return {
    rulesInForce: ({ production, reason }) => {
      log.info({ rules: production ? "production" : "development", reason }, "rules in force");
    },
    tokenServed: (event) => {
      log.debug(event, "token served");
    },
    flightJoined: (where) => {
      log.debug({ where }, "token of another request's issuance");
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
    revocationsUnfinished: (identities) => {
      log.error(
        { identities },
        "the gateway ends before the cache could be cleared after revocations that it was away for; send them again",
      );
    },
    identityCreated: (event) => {
      log.info(event, "identity created");
    },
    identityDeleted: () => {
      log.info("identity deleted");
    },
    orphanDeleted: (event) => {
      log.info(event, "deleted an identity that no caller received");
    },
    createOutcomeUnknown: (event) => {
      log.warn(event, "a create's outcome is unknown; an identity that nobody uses may be left at ACS");
    },
    upstreamCall: (event) => {
      log[event.outcome === "ok" ? "debug" : "warn"](event, "call to Azure Communication Services");
    },
    upstreamCircuit: (event) => {
      log[event.state === "open" ? "warn" : "info"](event, "circuit to Azure Communication Services");
    },
    resourceMistaken: (event) => {
      log.error(
        event,
        "the resource has another immutable id than is configured; it makes no new identities",
      );
    },
    budgetUnavailable: (reason) => {
      log[reason === "AWAY" ? "debug" : "warn"](
        { reason },
        "upstream budget unavailable; keeping to the own share",
      );
    },
    storeUnavailable: (event) => {
      // That Redis is away has been told when it went.
      log[event.reason === "AWAY" ? "debug" : "warn"](event, "token store unavailable; going on without it");
    },
    redisError: (reason) => {
      log.debug({ reason }, "Redis connection");
    },
    redisAway: (event) => {
      log.warn(event, "Redis is away; tokens are issued straight from Azure until it is back");
    },
    redisBack: (event) => {
      log.info(event, "Redis is back");
    },
    redisCalls: () => untold,
    redisUnfenced: (node) => {
      log.warn(
        { node },
        "min-replicas-to-write is not set on this Redis: a primary that is cut off from its replicas could serve a revoked token",
      );
    },
    noticesUnavailable: (reason) => {
      log[reason === "AWAY" ? "debug" : "warn"](
        { reason },
        "subscribers are not told of revocations at other gateways",
      );
    },
    valueDidNotOpen: () => {
      log.warn("a cached value did not open with any encryption key; it counts as a miss");
    },
    keyRingChanged: (keyIds) => {
      log.info({ keyIds }, "the key file was read anew: its first key seals from now on, all of them open");
    },
    keyRingRejected: (reason) => {
      log.error({ reason }, "TOKEN_ENCRYPTION_KEYS_FILE is wrong; the keys of before stay in force");
    },
    apiKeysChanged: (names) => {
      log.info({ names }, "the API key file was read anew: these keys are in force");
    },
    apiKeysRejected: (reason) => {
      log.error({ reason }, "API_KEYS_FILE is wrong; the keys of before stay in force");
    },
    tlsChanged: (event) => {
      log.info(event, "the TLS certificate was read anew, and is served from now on");
    },
    tlsRejected: (reason) => {
      log.error({ reason }, "the TLS certificate or its key is wrong; those of before stay in force");
    },
    proxyNotTrusted: () => {
      log.warn(
        "requests come through a proxy (x-forwarded-for), but TRUSTED_PROXIES names none: limits count the proxy's address",
      );
    },
    issuerKeysChanged: (event) => {
      log.info(event, "the issuer's keys were fetched");
    },
    issuerUnavailable: (event) => {
      log.warn(event, "the issuer of access tokens does not tell its keys; those there are stay in use");
    },
    directoryUnavailable: (event) => {
      log.warn(event, "the directory of users' identities is unavailable");
    },
    spansLost: (reason) => {
      log.warn(
        { reason },
        "spans are lost: the receiver of traces does not take them; told once until it does",
      );
    },
    spansSentAgain: (event) => {
      log.info(event, "the receiver of traces takes spans again");
    },
    draining: (event) => {
      log.info(event, "draining: not ready any more, and serving on until load balancers know");
    },
    auditUnwritable: (reason) => {
      log.error({ reason }, "the audit cannot be written: what it records is refused until it can");
    },
    internalError: (error) => {
      const errorId = randomUUID();
      log.error({ errorId, stack: error instanceof Error ? error.stack : typeof error }, "internal error");
      return errorId;
    },
  };
}

/** Every call of Redis would be too much for a log. */
const untold: RedisCalls = { observe: () => undefined };
