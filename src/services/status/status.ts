/** What the status page is told: everything that is in the answer of /status/data. */
import type { Series, kept } from "./history";
import type { Percentiles } from "./percentile";
import type { ReplicaState, RegisterState } from "./replica-register";
import type { Figures } from "./tick";

/** Something that an operator should know of. `trouble`: somebody is served badly, or not at all. */
export interface Concern {
  readonly level: "trouble" | "notice";
  readonly text: string;
}

/** A gateway among those that share a Redis. */
export interface ReplicaStatus {
  readonly id: string;
  readonly host: string;
  readonly version: string;
  readonly startedAt: number;
  readonly state: ReplicaState;
  /** The one that answers. */
  readonly isSelf: boolean;
  /** How long ago it was heard of, in seconds. */
  readonly ageSeconds: number;
  /** Null: it has not told any yet, or in the form of another version. */
  readonly figures: Figures | null;
}

/** An operation in the last minutes. */
export interface OperationStatus extends Percentiles {
  readonly operation: string;
  readonly count: number;
  readonly perSecond: number;
  /** How many were refused: the caller's fault, or a limit. */
  readonly refused: number;
  /** How many failed: the fault of the gateway or of what it needs. */
  readonly failed: number;
}

/** An operation of Azure's: its limit now, and its calls in the last minutes. */
export interface AzureStatus extends Percentiles {
  readonly resource: string;
  readonly operation: string;
  readonly limit: number | null;
  readonly remaining: number | null;
  readonly queued: number;
  /** The gateway does not call it: it has failed too often. */
  readonly circuitOpen: boolean;
  readonly calls: number;
  readonly failed: number;
}

/** A script of Redis in the last minutes. */
export interface ScriptStatus extends Percentiles {
  readonly script: string;
  readonly count: number;
}

/** How many of something there were. */
export interface Count {
  readonly name: string;
  readonly count: number;
}

/** Everything the page shows. Times are in milliseconds, unless their names say seconds. */
export interface Status {
  /** Now, in milliseconds since the Unix epoch. */
  readonly at: number;
  /** The gateway that answers. */
  readonly gateway: {
    readonly id: string;
    readonly host: string;
    readonly version: string;
    readonly node: string;
    readonly startedAt: number;
    readonly state: ReplicaState;
  };
  readonly concerns: readonly Concern[];
  /** Whose `now` and `history` are. */
  readonly scope: "own" | "fleet";
  readonly span: "short" | "long";
  /** Seconds between two points of the history. */
  readonly stepSeconds: number;
  /** Of the last seconds; null in the first ones of a gateway. */
  readonly now: Figures | null;
  readonly history: Series;
  readonly replicas: { readonly known: RegisterState; readonly list: readonly ReplicaStatus[] };
  /** This gateway's last minutes. */
  readonly window: {
    readonly seconds: number;
    readonly operations: readonly OperationStatus[];
    /** Errors by their codes. */
    readonly errors: readonly Count[];
    readonly azure: readonly AzureStatus[];
    readonly scripts: readonly ScriptStatus[];
  };
  /** Null: there is none. */
  readonly redis: {
    readonly status: "ok" | "full" | "partly" | "away";
    readonly reason: string | null;
    readonly awaySeconds: number;
  } | null;
  /** Of this gateway since its start. */
  readonly totals: readonly Count[];
  readonly revocations: readonly {
    readonly cause: string;
    readonly confirmed: number;
    /** Azure has revoked, but the cache could not be told. */
    readonly unconfirmed: number;
  }[];
  readonly process: {
    readonly memory: number;
    readonly heapUsed: number;
    readonly heapTotal: number;
    readonly subscriptions: number;
  };
  /** How the gateway is set up, without secrets. */
  readonly configuration: readonly { readonly name: string; readonly value: string }[];
}

/** The names of the history's figures. */
export type HistoryName = (typeof kept)[number];
