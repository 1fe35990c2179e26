/** Events that are counted before they are told: a layer around those that are logged. */
import type { Events, UpstreamCall } from "../events";
import type { Metrics, UpstreamOutcome } from "./metrics";

/** The same events, counted. */
export function countedEvents(events: Events, metrics: Metrics): Events {
  return {
    ...events,
    tokenServed: (event) => {
      metrics.tokenServed(event.source);
      events.tokenServed(event);
    },
    flightJoined: (where) => {
      metrics.flightJoined(where);
      events.flightJoined(where);
    },
    tokenSuperseded: () => {
      metrics.tokenSuperseded();
      events.tokenSuperseded();
    },
    tokenRenewed: (event) => {
      metrics.tokenRenewed(event.outcome);
      events.tokenRenewed(event);
    },
    tokensRevoked: (event) => {
      metrics.tokensRevoked(event.cause, event.confirmed);
      events.tokensRevoked(event);
    },
    identityCreated: (event) => {
      metrics.identityCreated(event.withToken);
      events.identityCreated(event);
    },
    identityDeleted: () => {
      metrics.identityDeleted();
      events.identityDeleted();
    },
    orphanDeleted: (event) => {
      metrics.orphanDeleted();
      events.orphanDeleted(event);
    },
    createOutcomeUnknown: (event) => {
      metrics.createOutcomeUnknown();
      events.createOutcomeUnknown(event);
    },
    upstreamCall: (event) => {
      const { resource, operation, durationMs } = event;
      metrics.upstreamCall(resource, operation, outcomeOf(event), durationMs / 1_000);
      events.upstreamCall(event);
    },
    budgetUnavailable: (reason) => {
      metrics.dependencyFailed("budget");
      events.budgetUnavailable(reason);
    },
    storeUnavailable: (event) => {
      metrics.dependencyFailed("store");
      events.storeUnavailable(event);
    },
    noticesUnavailable: (reason) => {
      metrics.dependencyFailed("notices");
      events.noticesUnavailable(reason);
    },
    redisAway: (event) => {
      metrics.redisChanged();
      events.redisAway(event);
    },
    redisBack: (event) => {
      metrics.redisChanged();
      events.redisBack(event);
    },
    redisCalls: (script) => metrics.redisCalls(script),
    valueDidNotOpen: () => {
      metrics.valueDidNotOpen();
      events.valueDidNotOpen();
    },
    keyRingRejected: (reason) => {
      metrics.fileRejected("encryption_keys");
      events.keyRingRejected(reason);
    },
    apiKeysRejected: (reason) => {
      metrics.fileRejected("api_keys");
      events.apiKeysRejected(reason);
    },
    tlsRejected: (reason) => {
      metrics.fileRejected("tls");
      events.tlsRejected(reason);
    },
    issuerUnavailable: (event) => {
      metrics.dependencyFailed("issuer");
      events.issuerUnavailable(event);
    },
    directoryUnavailable: (event) => {
      metrics.dependencyFailed("directory");
      events.directoryUnavailable(event);
    },
    internalError: (error) => {
      metrics.internalError();
      return events.internalError(error);
    },
  };
}

function outcomeOf({ outcome, status, code, cancelled }: UpstreamCall): UpstreamOutcome {
  if (outcome === "ok") return "ok";
  if (cancelled) return "cancelled";
  if (status === undefined) return "no_answer";
  if (status === 429) return "throttled";
  const ofTheGateway = (status === 401 || status === 403) && !ofTheCaller.has(code ?? "");
  if (ofTheGateway) return "credential_refused";
  return status < 500 && status !== 408 ? "refused" : "failed";
}

/** Codes of refusals that the caller's own identity or Teams token is the reason of. */
const ofTheCaller: ReadonlySet<string> = new Set(["IdentityNotOwned", "InvalidAccessToken"]);
