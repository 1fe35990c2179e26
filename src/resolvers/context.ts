/** What resolvers know of the request that they answer: types, so that the files that use them need not import each other. */
import type DataLoader from "dataloader";
import type { Caller } from "../services/access/caller";
import type { Owner } from "../services/identities/directory/user-identities";
import type { CreateCall } from "../services/identities/identity-service";
import type { AuditedAction, AuditRecord } from "../services/telemetry/audit";
import type { Actor } from "../services/telemetry/line-text";
import type { Span } from "../services/telemetry/span";
import type { CachedTokenSummary } from "../services/tokens/token-service";
import type { RevocationNotice } from "../services/tokens/revocation-notices";

/** What becomes of a request, and where it came from. */
export interface AnsweredRequest {
  /** Sent back as `x-request-id`. */
  readonly id: string;
  /** The client's address. */
  readonly address: string;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
  /** Resolves when the exchange is over: whether the client was sent an answer with data. */
  readonly answered: Promise<boolean>;
  /** What is being done for it; undefined when it is not traced. */
  readonly span?: Span | undefined;
  /** Who is calling, for the log of requests. */
  caller?: Actor | undefined;
  /** Its answer tells of what the audit has a line of, so it must not leave without it. */
  isAudited?: boolean;
}

/** What an audited action is about; filled in as it becomes known. */
export type About = {
  -readonly [
    Name in keyof Omit<AuditRecord, "action" | "outcome" | "caller" | "address" | "requestId" | "traceId">
  ]: AuditRecord[Name];
};

/** What resolvers know of the request that they answer. */
export interface RequestContext {
  /** Who is calling; undefined when no credential was sent. */
  readonly caller: Caller | undefined;
  /** What services are told of whoever waits for them. */
  readonly call: CreateCall;
  /** What is looked up for many identities at once. */
  readonly lookups: Lookups;
  /** Verifies the request's credential once more. Throws or rejects when it is not valid any more. */
  authenticateAgain(): Caller | undefined | Promise<Caller>;
  /** The stream of an identity's revocations. Throws what the caller may not follow. */
  revocations(target: Target): Promise<AsyncIterableIterator<RevocationEvent, undefined>>;
  /** Enters in the audit that the caller may not do it. */
  refused(action: AuditedAction): void;
  /**
   * Runs an action and enters in the audit what it was about and how it ended. Rejects with `AUDIT_UNAVAILABLE`, without
   * running it, while the audit cannot be written.
   */
  audited<T>(action: AuditedAction, about: About, act: () => Promise<T>): Promise<T>;
}

/** Whose an identity is in the directory. */
export type KnownOwner = Pick<Owner, "issuer" | "subject">;

/** What an input says of the identity. */
export interface Target {
  readonly identityId?: string | null | undefined;
  readonly device?: string | null | undefined;
}

/** A notice, and the identity that it is about. */
export interface RevocationEvent extends RevocationNotice {
  readonly identity: { readonly id: string };
}

/** What one request looks up of identities, many in one round trip. */
export interface Lookups {
  /** What is cached for an identity. */
  readonly cachedTokens: DataLoader<string, CachedTokenSummary[]>;
  /** Whose an identity is in the directory. */
  readonly owners: DataLoader<string, KnownOwner | undefined>;
}
