/** The answer of /status/data, as the gateway sends it. */

/** Rates are per second, times in milliseconds, memory in bytes, shares from 0 to 1; null: nothing to measure. */
export interface Figures {
  readonly operations: number;
  readonly refusals: number;
  readonly failures: number;
  readonly cached: number;
  readonly issued: number;
  readonly joined: number;
  readonly calls: number;
  readonly callFailures: number;
  readonly inFlight: number;
  readonly connections: number;
  readonly memory: number;
  readonly busy: number;
  readonly hitRatio: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly callP50: number | null;
  readonly callP95: number | null;
}

export type Name = keyof Figures;

interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface Count {
  readonly name: string;
  readonly count: number;
}

export interface Replica {
  readonly id: string;
  readonly host: string;
  readonly version: string;
  readonly startedAt: number;
  readonly state: "serving" | "draining";
  readonly isSelf: boolean;
  readonly ageSeconds: number;
  readonly figures: Figures | null;
}

export interface OperationRow extends Percentiles {
  readonly operation: string;
  readonly count: number;
  readonly perSecond: number;
  readonly refused: number;
  readonly failed: number;
}

export interface AzureRow extends Percentiles {
  readonly resource: string;
  readonly operation: string;
  readonly limit: number | null;
  readonly remaining: number | null;
  readonly queued: number;
  readonly circuitOpen: boolean;
  readonly calls: number;
  readonly failed: number;
}

export interface ScriptRow extends Percentiles {
  readonly script: string;
  readonly count: number;
}

export interface Status {
  readonly at: number;
  readonly gateway: {
    readonly id: string;
    readonly host: string;
    readonly version: string;
    readonly node: string;
    readonly startedAt: number;
    readonly state: "serving" | "draining";
  };
  readonly concerns: readonly { readonly level: "trouble" | "notice"; readonly text: string }[];
  readonly scope: "own" | "fleet";
  readonly span: "short" | "long";
  readonly stepSeconds: number;
  readonly now: Figures | null;
  readonly history: {
    /** Seconds before `at`, the oldest first. */
    readonly age: readonly number[];
    readonly figures: Readonly<Record<Name, readonly (number | null)[]>>;
  };
  readonly replicas: { readonly known: "alone" | "shared" | "away"; readonly list: readonly Replica[] };
  readonly window: {
    readonly seconds: number;
    readonly operations: readonly OperationRow[];
    readonly errors: readonly Count[];
    readonly azure: readonly AzureRow[];
    readonly scripts: readonly ScriptRow[];
  };
  readonly redis: {
    readonly status: "ok" | "full" | "partly" | "away";
    readonly reason: string | null;
    readonly awaySeconds: number;
  } | null;
  readonly totals: readonly Count[];
  readonly revocations: readonly {
    readonly cause: string;
    readonly confirmed: number;
    readonly unconfirmed: number;
  }[];
  readonly process: {
    readonly memory: number;
    readonly heapUsed: number;
    readonly heapTotal: number;
    readonly subscriptions: number;
  };
  readonly configuration: readonly { readonly name: string; readonly value: string }[];
}
