/**
 * The caching protocol keeps its promises in any order of events and under any faults that the model has, and breaks
 * them without any one of its parts. `RUNS=20000 SEED=1` looks longer, counts and prints the shortest bad traces.
 */
import { describe, expect, it } from "@jest/globals";
import { runSeed as seed } from "../../support/random";
import { complete, type Parts } from "./parts";
import { simulate, survey, type Fault, type Setting } from "./token-protocol";

const long = process.env.RUNS === undefined ? undefined : Number(process.env.RUNS);
const timeoutMs = long === undefined ? 20_000 : 3_600_000;

/** Where it is most likely that the lack of a part shows. The complete protocol is put to the same. */
const places = {
  some: { faults: "some" },
  crash: { faults: ["crash"] },
  failover: { faults: ["failover"] },
  isolate: { faults: ["isolate"] },
  freeze: { faults: ["freeze"] },
  slow: { faults: ["cut", "slow"] },
  alone: { faults: ["cut", "slow"], gateways: 1 },
} as const satisfies Record<string, { faults: readonly Fault[] | "some"; gateways?: number }>;

describe(`the complete protocol (seed ${seed})`, () => {
  for (const [name, place] of Object.entries(places)) {
    it(
      `never serves a revoked token, nor for long one whose revoker died: ${name}`,
      () => {
        const runs = long ?? (name === "some" ? 2_000 : 400);
        const { shortest, served, revoked } = survey({ parts: complete, ...place }, seed, runs);
        expect(shortest.join("\n")).toBe("");
        // It did something.
        expect(served).toBeGreaterThan(runs);
        expect(revoked).toBeGreaterThan(runs / 2);
      },
      timeoutMs,
    );
  }

  const calm = (revocations: number, callers: number): Omit<Setting, "seed"> => {
    return { parts: complete, faults: [], revocations, callers };
  };

  it("issues once for any number of callers at three gateways, when nothing fails", () => {
    for (let run = 0; run < 300; run++) {
      const callers = 1 + (run % 30);
      const { served, gaveUp, issued } = simulate({ ...calm(0, callers), seed: seed + run });
      expect({ run, served, gaveUp, issued }).toEqual({ run, served: callers, gaveUp: 0, issued: 1 });
    }
  });

  it("answers every caller with a token, when nothing fails and a revocation comes between", () => {
    for (let run = 0; run < 300; run++) {
      const { served, gaveUp } = simulate({ ...calm(1, 12), seed: seed + run });
      expect({ run, served, gaveUp }).toEqual({ run, served: 12, gaveUp: 0 });
    }
  });
});

describe(`every part is needed (seed ${seed})`, () => {
  const showsIn: Record<keyof Parts, keyof typeof places> = {
    generation: "slow",
    incarnation: "failover",
    fence: "isolate",
    trust: "freeze",
    secondBeat: "freeze",
    begin: "crash",
    pending: "crash",
    end: "slow",
    vouching: "slow",
    readBarrier: "alone",
    runBarrier: "alone",
  };

  for (const part of Object.keys(complete) as (keyof Parts)[]) {
    it(
      `a promise is broken without: ${part}`,
      () => {
        const setting = { parts: { ...complete, [part]: false }, ...places[showsIn[part]] };
        const { found, runs, shortest } = survey(setting, seed, long ?? 20_000, long ? Infinity : 1);
        if (long) console.log(`${part}: ${found} of ${runs}\n${shortest.join("\n")}`);
        expect(found).toBeGreaterThan(0);
      },
      timeoutMs,
    );
  }
});
