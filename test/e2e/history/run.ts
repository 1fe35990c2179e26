/** One run: a workload in an arena while faults come and go, judged afterwards, told in figures. */
import { seededRandom } from "../../support/random";
import { startArena, type ArenaOptions, type Fault } from "./arena";
import { check, type Truth, type Violation } from "./checker";
import { historyClock, type FaultEntry, type HistoryEntry } from "./history";
import { watchVitalSigns, type VitalSigns } from "./vital-signs";
import { runWorkload, type WorkloadOptions } from "./workload";

export interface RunOptions extends ArenaOptions {
  /** How long clients go on, in milliseconds. */
  readonly ms: number;
  /** Which of the arena's faults, by the beginnings of their names; all when left out, none when empty. */
  readonly faults?: readonly string[];
  /** Quiet time between two faults, in milliseconds. */
  readonly quietMs?: readonly [min: number, max: number];
  readonly workload?: Partial<WorkloadOptions>;
  /** Told now and then how far it is. */
  readonly progress?: (text: string) => void;
}

/** What a run came to. */
export interface RunReport {
  readonly seed: number;
  readonly topology: string;
  readonly seconds: number;
  /** By kind and outcome: `issue OK CACHE`. */
  readonly operations: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly upstreamCalls: Readonly<Record<string, number>>;
  /** How often the arena itself had no turn, and with it the network and Azure. */
  readonly standstills: number;
  readonly violations: readonly Violation[];
  /** What gateways have done that no fault explains. */
  readonly misdeeds: readonly string[];
  /** Gateways that did not serve from the cache in the quiet at the end. */
  readonly notRecovered: readonly number[];
  /** Of the gateways that were spared. */
  readonly vitalSigns: readonly VitalSigns[];
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** From the end of each fault until every gateway has served from the cache again, the longest by kind of fault. */
  readonly recoveryMs: Readonly<Record<string, number>>;
}

/** Clients go on for so long after the last fault, and until every replica has served from the cache again … */
const quietEndMs = 3_000;
/** … or for this long at most, in milliseconds: then a replica has not recovered. */
const recoverWithinMs = 60_000;
/** Now and then it is quiet for so long that the aftermath of a fault is over, and two calls for one key are wrong again. */
const longQuiet = { probability: 0.1, ms: 9_000 };

/** Runs clients and faults for the given time, then judges. */
export async function runHistory(options: RunOptions): Promise<RunReport> {
  const random = seededRandom(options.seed);
  await using arena = await startArena(options);
  const over = new AbortController();
  const faultsOver = AbortSignal.timeout(options.ms);
  const entries: HistoryEntry[] = [];
  const work = runWorkload(
    {
      clients: arena.clients,
      random: seededRandom(options.seed + 1),
      atOnce: 24,
      identities: 12,
      endings: { revoke: 0.05, delete: 0.005 },
      thinkMs: 15,
      ...options.workload,
    },
    over.signal,
    entries,
  );
  const wanted = options.faults;
  const possible = arena.faults.filter(({ name }) => wanted?.some((start) => name.startsWith(start)) ?? true);
  const startedAt = historyClock();
  const signs = watchVitalSigns(arena.spared);
  const stalls = watchStalls();
  const faults = await runFaults(possible, random, faultsOver, options);
  // From the end of the last fault, which may take longer than it was given: a failover has its own time.
  const since = faults.at(-1)?.end ?? startedAt;
  const notRecovered = () =>
    arena.clients().flatMap((_, replica) => {
      const isHit = (entry: HistoryEntry) =>
        entry.kind === "issue" &&
        entry.source === "CACHE" &&
        entry.replica === replica &&
        entry.start >= since;
      return entries.some(isHit) ? [] : [replica];
    });
  const quietFrom = historyClock();
  const quietFor = () => historyClock() - quietFrom;
  while (quietFor() < quietEndMs || (notRecovered().length > 0 && quietFor() < recoverWithinMs)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  over.abort();
  await work;
  const vitalSigns = signs.stop();
  const standstills = stalls.stop();
  const truth: Truth = (token) => {
    const known = arena.emulator.introspect(token);
    if (!("identityId" in known)) return undefined;
    const killed = known.reason === "revoked" || known.reason === "deleted" ? known.since : undefined;
    return {
      identityId: known.identityId,
      scopes: known.scopes,
      ...(killed === undefined ? {} : { killedAt: killed }),
    };
  };
  const snapshot = arena.emulator.counts.snapshot().operations;
  return {
    seed: options.seed,
    topology: options.topology,
    seconds: Math.round((historyClock() - startedAt) / 1000),
    operations: tally(entries.map((entry) => [entry.kind, entry.outcome, sourceOf(entry)].join(" ").trim())),
    faults: tally(faults.map(({ fault }) => fault)),
    upstreamCalls: Object.fromEntries(Object.entries(snapshot).map(([name, { worked }]) => [name, worked])),
    standstills: standstills.length,
    violations: check(entries, [...faults, ...standstills], truth),
    misdeeds: arena.misdeeds(),
    notRecovered: notRecovered(),
    vitalSigns,
    latencyMs: latencies(entries),
    recoveryMs: recoveries(entries, faults, arena.clients().length),
  };
}

/** How late a turn of the arena comes before it is a fault: a part of the patience that gateways have with Redis. */
const standstillMs = 100;

/** The arena's own standstills, as faults: Redis is reached through it, and the emulator is in it. */
function watchStalls(): { stop: () => FaultEntry[] } {
  const entries: FaultEntry[] = [];
  let last = historyClock();
  const timer = setInterval(() => {
    const now = historyClock();
    if (now - last > standstillMs) entries.push({ fault: "standstill", start: last, end: now });
    last = now;
  }, 20);
  return {
    stop: () => {
      clearInterval(timer);
      return entries;
    },
  };
}

async function runFaults(
  possible: readonly Fault[],
  random: ReturnType<typeof seededRandom>,
  over: AbortSignal,
  { ms: runMs, quietMs = [1_000, 3_000], progress }: RunOptions,
): Promise<FaultEntry[]> {
  const longRun = runMs >= 60_000;
  const entries: FaultEntry[] = [];
  const isOver = () => over.aborted;
  while (!isOver()) {
    const long = longRun && random() < longQuiet.probability;
    await pause(long ? longQuiet.ms : random.between(...quietMs), over);
    if (isOver() || possible.length === 0) continue;
    const fault = random.pick(possible);
    const ms = random.between(...fault.ms);
    const start = historyClock();
    const end = await fault.begin(random);
    await pause(ms, over);
    await end();
    entries.push({ fault: fault.name, start, end: historyClock() });
    progress?.(`${fault.name}, ${Math.round(ms)} ms`);
  }
  return entries;
}

function sourceOf(entry: HistoryEntry): string {
  return entry.kind === "issue" ? (entry.source ?? "") : "";
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function latencies(entries: readonly HistoryEntry[]): RunReport["latencyMs"] {
  const sorted = entries
    .filter(({ kind, outcome }) => kind === "issue" && outcome === "OK")
    .map(({ start, end }) => end - start)
    .sort((a, b) => a - b);
  const at = (share: number) => Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 10) / 10;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function recoveries(
  entries: readonly HistoryEntry[],
  faults: readonly FaultEntry[],
  replicas: number,
): Record<string, number> {
  const hits = Array.from({ length: replicas }, (_, replica) =>
    entries
      .filter((entry) => entry.kind === "issue" && entry.source === "CACHE" && entry.replica === replica)
      .sort((a, b) => a.start - b.start),
  );
  const longest: Record<string, number> = {};
  for (const [index, { fault, end }] of faults.entries()) {
    const next = faults[index + 1]?.start ?? Infinity;
    const firsts = hits.map((of) => {
      const from = firstSince(of, end);
      return Math.min(...of.slice(from, from + 50).map((hit) => hit.end));
    });
    const ms = Math.round(Math.max(...firsts) - end);
    if (ms + end < next) longest[fault] = Math.max(longest[fault] ?? 0, ms);
  }
  return longest;
}

/** The index of the first that began at `time` or later; they are in the order of their beginnings. */
function firstSince(entries: readonly HistoryEntry[], time: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.start ?? Infinity) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function pause(ms: number, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      over.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    over.addEventListener("abort", done, { once: true });
    if (over.aborted) done();
  });
}
