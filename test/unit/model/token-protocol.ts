/** A model of the caching protocol that runs it in random orders under random faults, and judges what was served. */
import { seededRandom } from "../../support/random";
import { GatewayModel, type Routine, type Surroundings } from "./gateway-model";
import type { Parts } from "./parts";
import { RedisModel, ticks, type Node, type Token } from "./redis-model";

const maxSteps = 2_500;

const faults = [
  ...(["commands", "azure", "slow", "crash", "leave", "pause", "cut"] as const),
  ...(["failover", "restart", "isolate", "freeze", "evict"] as const),
] as const;
/** Something that goes wrong. */
export type Fault = (typeof faults)[number];

/** What a run is like. */
export interface Setting {
  readonly parts: Parts;
  readonly seed: number;
  /** What may go wrong; `some`: a few of all; with nothing, time waits for who is ready. */
  readonly faults: readonly Fault[] | "some";
  /** Default 3. */
  readonly gateways?: number;
  /** How many revocations there are. Default: one to three. */
  readonly revocations?: number;
  /** How many requests there are at the beginning. */
  readonly callers?: number;
}

/**
 * What became of a run. `violation`: a request that began after a revocation was answered OK got a token from before
 * it. `unconfirmed`: the same on the gateway that answered CACHE_UNAVAILABLE, which promises it for itself. `zombie`: a
 * dead token was served for longer than an issuance lasts, because of a revoker that died.
 */
export interface Report {
  readonly found: "violation" | "unconfirmed" | "zombie" | undefined;
  readonly served: number;
  readonly gaveUp: number;
  readonly issued: number;
  readonly revoked: number;
  /** Empty unless asked for. */
  readonly trace: readonly string[];
}

interface Process {
  readonly gateway: number;
  readonly routine: Routine;
  ready: (() => boolean) | undefined;
  readonly client: boolean;
}

/** One run; a seed repeats it. */
export function simulate(setting: Setting, tracing = false): Report {
  const random = seededRandom(setting.seed);
  const gatewayCount = setting.gateways ?? 3;
  const trace: string[] = [];
  const log = (text: string) => {
    if (tracing) trace.push(`${redis.now}: ${text}`);
  };
  const redis = new RedisModel(setting.parts, random, log);
  // Few kinds at once find more: the rare ones need the others out of their way.
  const share = random.pick([0.12, 0.25, 0.5]);
  const enabled = new Set<Fault>(
    setting.faults === "some" ? faults.filter(() => random() < share) : setting.faults,
  );
  const calm = setting.faults.length === 0;
  const onlyCrashes = setting.faults !== "some" && setting.faults.join() === "crash";
  const processes: Process[] = [];
  const stuck: { node: Node; command: (node: Node) => unknown }[] = [];
  const tokens: Token[] = [];
  let [order, served, gaveUp, revoked] = [0, 0, 0, 0];
  let found: Report["found"];
  const any = () => Math.floor(random() * gatewayCount);
  const start = (gateway: number, routine: Routine, client: boolean) => {
    processes.push({ gateway, routine, ready: undefined, client });
  };
  const surroundings: Surroundings = {
    parts: setting.parts,
    redis,
    random,
    tokens,
    has: (fault) => enabled.has(fault),
    order: () => ++order,
    spawn: (gateway, routine) => {
      start(gateway, routine, false);
    },
    later: (node, command) => {
      stuck.push({ node, command });
    },
    served: (gateway, token, began, how) => {
      served += 1;
      log(`gateway ${gateway} serves ${token.name} (${how})`);
      if (token.revoked < began) found ??= "violation";
      else if ((token.unconfirmed.get(gateway) ?? Infinity) < began) found ??= "unconfirmed";
      else if (onlyCrashes && redis.now > token.killed + 2 * ticks.deadline) found ??= "zombie";
    },
    gaveUp: () => {
      gaveUp += 1;
    },
    revoked: () => {
      revoked += 1;
    },
    stir: (gateway) => {
      if (calm) return;
      for (const each of [gateway, any()]) if (random() < 0.6) request(each);
    },
    log,
  };
  const gateways = Array.from({ length: gatewayCount }, (_, id) => new GatewayModel(id, surroundings));
  const request = (gateway: number) => {
    start(gateway, gateways[gateway]!.request(!calm && random() < 0.12), true);
  };

  const strike = (fault: Fault) => {
    const gateway = any();
    switch (fault) {
      case "crash": {
        log(`gateway ${gateway} crashes and starts again`);
        for (let i = processes.length; i-- > 0;)
          if (processes[i]!.gateway === gateway) processes.splice(i, 1);
        gateways[gateway] = new GatewayModel(gateway, surroundings);
        for (const token of tokens) token.unconfirmed.delete(gateway);
        break;
      }
      case "leave": {
        const leaving = processes.find((process) => process.client && random() < 0.3);
        if (!leaving) return;
        leaving.routine.return();
        processes.splice(processes.indexOf(leaving), 1);
        log(`a caller of gateway ${leaving.gateway} leaves`);
        break;
      }
      case "pause":
        gateways[gateway]!.pausedUntil = redis.now + Math.floor(random.between(1, 2 * ticks.promotion));
        log(`gateway ${gateway} is held up until ${gateways[gateway]!.pausedUntil}`);
        break;
      case "cut":
        gateways[gateway]!.cut = !gateways[gateway]!.cut;
        log(`the link of gateway ${gateway} is ${gateways[gateway]!.cut ? "cut" : "whole again"}`);
        break;
      case "failover":
        redis.crash();
        break;
      case "restart":
        redis.restart();
        break;
      case "isolate":
        redis.isolate(gatewayCount);
        break;
      case "freeze":
        redis.freeze();
        break;
      case "evict":
        redis.evict();
        break;
      case "commands":
      case "azure":
      case "slow":
    }
  };
  const isReady = ({ gateway, ready }: Process) =>
    gateways[gateway]!.pausedUntil <= redis.now && (ready?.() ?? true);
  const tick = () => {
    if (redis.tick() === "woken") for (const id of gateways.keys()) surroundings.stir(id);
    for (const gateway of gateways) gateway.tick();
  };

  for (let i = setting.callers ?? Math.floor(random.between(2, 6)); i-- > 0;) request(any());
  const revocations = setting.revocations ?? Math.floor(random.between(1, 4));
  const waiting = Array.from({ length: revocations }, (_, i) => `r${i + 1}`);
  const struck = [...enabled].filter((fault) => !["commands", "azure", "slow"].includes(fault));
  let [strikes, more] = [calm ? 0 : 6, calm ? 0 : 8];

  for (let step = 0; step < maxSteps && !found; step++) {
    const dice = random();
    if (dice < 0.15 && !calm) tick();
    else if (dice < 0.18 && stuck.length > 0) {
      const [late] = stuck.splice(Math.floor(random() * stuck.length), 1);
      if (!late || late.node.dead || redis.state(late.node, [...(late.node.reach ?? [0])][0]!) !== "answers")
        continue;
      late.command(late.node);
      log("a command that was given up runs late");
    } else if (dice < 0.21 && strikes > 0 && struck.length > 0) {
      strikes -= 1;
      strike(random.pick(struck));
    } else if (dice < 0.24 && more > 0) {
      more -= 1;
      request(any());
    } else if (dice < 0.27 && waiting.length > 0) {
      const gateway = any();
      start(gateway, gateways[gateway]!.revoke(waiting.shift()!), false);
    } else {
      const from = Math.floor(random() * processes.length);
      let next: Process | undefined;
      for (let i = 0; i < processes.length && !next; i++) {
        const candidate = processes[(from + i) % processes.length]!;
        if (isReady(candidate)) next = candidate;
      }
      if (next) {
        const { done, value } = next.routine.next();
        next.ready = done ? undefined : value;
        if (done) processes.splice(processes.indexOf(next), 1);
      } else if (processes.length > 0 || more > 0 || waiting.length > 0) tick();
      else break;
    }
  }
  return { found, served, gaveUp, issued: tokens.length, revoked, trace };
}

/** What many runs came to. */
export interface Survey {
  readonly runs: number;
  readonly found: number;
  /** The shortest of the traces that ended badly. */
  readonly shortest: readonly string[];
  readonly served: number;
  readonly revoked: number;
}

/** Runs one seed after the other; stops after `enough` bad ones. */
export function survey(
  setting: Omit<Setting, "seed">,
  seed: number,
  runs: number,
  enough = Infinity,
): Survey {
  let [found, served, revoked, done] = [0, 0, 0, 0];
  let shortest: readonly string[] = [];
  for (; done < runs && found < enough; done++) {
    const run = { ...setting, seed: seed + done };
    const report = simulate(run);
    served += report.served;
    revoked += report.revoked;
    if (!report.found) continue;
    found += 1;
    const { trace } = simulate(run, true);
    if (shortest.length === 0 || trace.length < shortest.length) {
      shortest = [`${report.found}, seed ${run.seed}:`, ...trace];
    }
  }
  return { runs: done, found, shortest, served, revoked };
}
