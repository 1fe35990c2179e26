/** A gateway that is sent garbage of every kind answers in words, gives tokens to nobody else, and lives on. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "@jest/globals";
import { startEmulator } from "../../../emulator/emulator";
import { CreateIdentityAndTokenDocument } from "../../../operations/generated/operations";
import { startGatewayProcess } from "../../support/gateway-process";
import { runSeed } from "../../support/random";
import { developmentKey } from "../../support/world";
import { startFuzzIssuer } from "./fuzz-issuer";
import { fuzz, tableOf } from "./fuzzer";

/** The longest that a request may keep the event loop, whose body has 110 KB at most. */
const longestStallMs = 55;

const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const count = Number(process.env.FUZZ_COUNT ?? 2_000);

it(
  `survives ${count} requests that no honest client sends (seed ${runSeed})`,
  async () => {
    await using issuer = await startFuzzIssuer();
    await using emulator = await startEmulator({ limits: false });
    const most = "10000000";
    const STALL_FILE = join(folder, "stall");
    await using gateway = await startGatewayProcess({
      ACS_CONNECTION_STRING: emulator.connectionString,
      OIDC_ISSUERS: issuer.setting,
      EXPLORER: "true",
      LOG_LEVEL: "error",
      MAX_CACHED_IDENTITIES: "1000",
      // No limit may hide what is behind it.
      ADDRESS_REQUESTS_PER_MINUTE: most,
      CALLER_REQUESTS_PER_MINUTE: most,
      ADDRESS_ISSUANCES_PER_MINUTE: most,
      CALLER_ISSUANCES_PER_MINUTE: most,
      ACS_RATE_LIMIT: "1000000",
      // What leaks ends it.
      NODE_OPTIONS: `--max-old-space-size=256 --import ${join(__dirname, "stall-probe.mjs")}`,
      STALL_FILE,
    });
    const create = async () =>
      (await gateway.client.data(CreateIdentityAndTokenDocument, { scopes: ["CHAT"] })).createIdentity
        .identity.id;
    const [userIdentityId, otherIdentityId] = [await create(), await create()];
    const material = {
      developmentKey,
      userIdentityId,
      otherIdentityId,
      userToken: await issuer.tokenOf(userIdentityId),
      forgeries: await issuer.forgeries(userIdentityId),
    };
    const started = Date.now();
    const report = await fuzz({ port: Number(new URL(gateway.origin).port), count, seed: runSeed, material });
    const seconds = (Date.now() - started) / 1_000;
    if (process.env.FUZZ_COUNT !== undefined) {
      const stallMs = Number(readFileSync(STALL_FILE, "utf8"));
      process.stdout.write(`\n${tableOf(report)}\n\n${count} requests in ${seconds} s, seed ${runSeed}.\n`);
      process.stdout.write(`The event loop was busy for ${stallMs} ms at most.\n`);
      // Beside other tests it is the machine that is busy; there the time of the processor is measured.
      expect(stallMs).toBeLessThanOrEqual(longestStallMs);
    }
    expect(report.findings).toEqual([]);
    expect(report.outcomes.size).toBe(16);
    expect(gateway.died).toBeUndefined();
    expect(gateway.log).not.toMatch(/internal error|unhandled|uncaught/i);
    expect(gateway.log).not.toMatch(/eyJ[\w-]{10,}\.[\w-]{10,}/);
    await create();
  },
  60_000 + count * 10,
);
