/** What the directory promises, on whatever database it is. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { startEmulator, type Emulator } from "../../../emulator/emulator";
import { DeletionWorker } from "../../../src/services/identities/directory/deletion-worker";
import { IdentityDirectory, type Owner } from "../../../src/services/identities/directory/identity-directory";
import { migrate } from "../../../src/services/identities/directory/migrations";
import type { Database } from "../../../src/services/identities/directory/sql";
import {
  UserIdentities,
  type CreateIdentity,
  type DirectoryTimings,
} from "../../../src/services/identities/directory/user-identities";
import type { CreateOutcomeUnknown } from "../../../src/services/telemetry/events";
import { GatewayError } from "../../../src/errors";
import { alive, startReplica, type Replica } from "../identities/replica";
import { runSeed, seededRandom, type Random } from "../../support/random";
import { recordEvents } from "../../support/recorded-events";
import { until } from "../../support/until";

/** A database to test on; all openings of it are the same one. */
export interface TestDatabase extends AsyncDisposable {
  open(): Database;
}

const events = recordEvents();
let subjects = 0;
const someone = (device = ""): Owner => ({
  issuer: "https://issuer.example",
  subject: `user ${++subjects}`,
  device,
});

/** Declares the tests. */
export function describeDirectory(name: string, start: () => Promise<TestDatabase>): void {
  describe(`the directory on ${name}`, () => {
    let database: TestDatabase;
    let emulator: Emulator;
    let replicas: Replica[];
    let directories: IdentityDirectory[];
    const closing: AsyncDisposable[] = [];
    /** Creates of unknown outcome that the directory reported. */
    const expiredClaims: CreateOutcomeUnknown[] = [];

    beforeAll(async () => {
      database = await start();
      closing.push(database);
      emulator = await startEmulator({ limits: false });
      closing.push(emulator);
      const told = {
        ...events,
        createOutcomeUnknown: (event: CreateOutcomeUnknown) => void expiredClaims.push(event),
      };
      directories = [1, 2, 3].map(() => new IdentityDirectory(database.open(), told));
      closing.push(...directories);
      await Promise.all(directories.map((directory) => directory.open()));
      replicas = await Promise.all([1, 2, 3].map(() => startReplica(emulator, { deadlineMs: 5_000 })));
      closing.push(...replicas);
    }, 120_000);
    afterAll(async () => {
      for (const part of closing.reverse()) await part[Symbol.asyncDispose]();
    });
    beforeEach(() => {
      emulator.faults.clear();
      expiredClaims.splice(0);
    });

    const usersOf = (index: number, timings: Partial<DirectoryTimings> = {}, create?: CreateIdentity) => {
      const { service } = replicas[index]!;
      const make = create ?? service.create.bind(service);
      return new UserIdentities(directories[index]!, make, () => undefined, timings);
    };
    const azureCreates = () => emulator.counts.snapshot().operations.createIdentity?.worked ?? 0;

    it("finds nobody it does not know, and knows each user and device by itself", async () => {
      const [directory] = directories;
      const [one, phone] = [someone(), someone("phone")];
      expect(await directory!.find(one)).toBeUndefined();
      const users = usersOf(0);
      const [mine, other] = [await users.identityOf(one, {}, {}), await users.identityOf(phone, {}, {})];
      expect(mine).not.toBe(other);
      const samePerson = { ...one, device: "phone" };
      expect(await directory!.find(samePerson)).toBeUndefined();
      const third = await users.identityOf(samePerson, {}, {});
      expect(await users.listOf(one.issuer, one.subject)).toEqual([
        { device: "", identityId: mine },
        { device: "phone", identityId: third },
      ]);
      const nobodys = "8:acs:of_nobody";
      for (const asked of [users, usersOf(1)]) {
        const owners = await asked.ownersOf([third, nobodys, mine]);
        expect(owners).toEqual([
          expect.objectContaining(samePerson),
          undefined,
          expect.objectContaining(one),
        ]);
      }
    });

    it("makes one identity for any number of first logins at three gateways at once", async () => {
      const before = azureCreates();
      const owner = someone();
      const gateways = [0, 1, 2].map((index) => usersOf(index));
      const found = await Promise.all(
        Array.from({ length: 60 }, (_, index) => gateways[index % 3]!.identityOf(owner, {}, {})),
      );
      expect(new Set(found).size).toBe(1);
      expect(azureCreates() - before).toBe(1);
    });

    it("asks nothing for a caller that is warm", async () => {
      const owner = someone();
      const users = usersOf(0);
      const identityId = await users.identityOf(owner, {}, {});
      const silent = new IdentityDirectory(
        { ...unusable, [Symbol.asyncDispose]: () => Promise.resolve() },
        events,
      );
      // The same memory over a database that cannot be asked.
      Object.assign(users, { directory: silent });
      expect(await users.identityOf(owner, {}, {})).toBe(identityId);
      await expect(users.identityOf(someone(), {}, {})).rejects.toMatchObject({
        code: "DIRECTORY_UNAVAILABLE",
      });
    });

    it("takes a claim over when its time is up, and who had it gets the winner's identity", async () => {
      const owner = someone();
      let slow!: () => void;
      const arrived = new Promise<void>((resolve) => (slow = resolve));
      const { service } = replicas[0]!;
      const hesitant = usersOf(0, { claimMs: 30 }, async (wanted, call) => {
        slow();
        await until(async () => (await directories[1]!.find(owner)) !== undefined);
        return service.create(wanted, call);
      });
      const late = hesitant.identityOf(owner, {}, {});
      await arrived;
      const winner = await usersOf(1).identityOf(owner, {}, {});
      expect(await late).toBe(winner);
      await until(() => replicas[0]!.deleted() === 1);
      expect((await directories[2]!.find(owner))?.identityId).toBe(winner);
      expect(alive(emulator)).toContain(winner);
      expect(expiredClaims).toEqual([{ cause: "claimExpired", ageMs: expect.any(Number) }]);
    });

    it("does not remember a create that Azure refused, and the next one works at once", async () => {
      const owner = someone();
      emulator.faults.add({ kind: "status", status: 403, operation: "createIdentity", times: 1 });
      await expect(usersOf(0).identityOf(owner, {}, {})).rejects.toMatchObject({ code: "UPSTREAM_REJECTED" });
      expect(await usersOf(1).identityOf(owner, {}, {})).toMatch(/^8:acs:/);
    });

    it("keeps an identity whose entry is known to have worked although its answer was lost", async () => {
      const owner = someone();
      const users = usersOf(0);
      const real = directories[0]!;
      const lossy = Object.create(real) as IdentityDirectory;
      lossy.activate = async (...args) => {
        await real.activate(...args);
        throw new Error("The answer was lost.");
      };
      Object.assign(users, { directory: lossy });
      const identityId = await users.identityOf(owner, {}, {});
      expect((await real.find(owner))?.identityId).toBe(identityId);
      expect(alive(emulator)).toContain(identityId);
    });

    it("keeps an identity of which it was unknown for a while whether it was entered", async () => {
      const owner = someone();
      const users = usersOf(0);
      const real = directories[0]!;
      const lossy = Object.create(real) as IdentityDirectory;
      const deleted = replicas[0]!.deleted();
      let finds = 0;
      lossy.activate = async (...args) => {
        await real.activate(...args);
        throw new Error("The answer was lost.");
      };
      lossy.find = async (asked) => {
        finds += 1;
        // The first one is the search before the create.
        if (finds === 2 || finds === 3)
          throw new GatewayError("DIRECTORY_UNAVAILABLE", "It does not answer.");
        return real.find(asked);
      };
      Object.assign(users, { directory: lossy });
      await expect(users.identityOf(owner, {}, {})).rejects.toMatchObject({ code: "DIRECTORY_UNAVAILABLE" });
      await until(() => finds === 4);
      const identityId = (await real.find(owner))?.identityId;
      expect(await usersOf(1).identityOf(owner, {}, {})).toBe(identityId);
      expect(alive(emulator)).toContain(identityId);
      expect(replicas[0]!.deleted()).toBe(deleted);
    });

    it("reports, once, a gateway that died between its claim and the entry, and the user's next login works", async () => {
      const [returns, staysAway] = [someone(), someone()];
      for (const owner of [returns, staysAway]) {
        expect(await directories[0]!.claim(owner, "of a dead gateway", 30)).toBe("claimed");
      }
      // The first user's claim is taken over, the second one's is found by the worker.
      const identityId = await usersOf(1).identityOf(returns, {}, {});
      expect(alive(emulator)).toContain(identityId);
      await using one = workerOf(1);
      await using two = workerOf(2);
      await until(async () => {
        await Promise.all([one.round(), two.round()]);
        return expiredClaims.length >= 2;
      });
      await Promise.all([one.round(), two.round()]);
      expect(expiredClaims.map(({ cause }) => cause)).toEqual(["claimExpired", "claimExpired"]);
      expect((await directories[2]!.find(returns))?.identityId).toBe(identityId);
      expect(await usersOf(2).identityOf(staysAway, {}, {})).toMatch(/^8:acs:/);
      expect(expiredClaims).toHaveLength(2);
    });

    it("leaves a claim alone that has not expired for as long as it takes to be sure", async () => {
      const owner = someone();
      expect(await directories[0]!.claim(owner, "slow", 0)).toBe("claimed");
      await directories[1]!.removeExpiredClaims(10, 60_000);
      expect(expiredClaims).toEqual([]);
      await directories[1]!.removeExpiredClaims(10, 0);
      expect(expiredClaims).toHaveLength(1);
    });

    it("forgets who an identity was for before Azure deletes it, and deletes it later when Azure fails", async () => {
      const owner = someone();
      const users = usersOf(0, { deletingMs: 0 });
      const identityId = await users.identityOf(owner, {}, {});
      const deleting = users.delete(identityId, async () => {
        expect(await directories[1]!.find(owner)).toBeUndefined();
        throw new Error("Azure fails.");
      });
      await expect(deleting).rejects.toThrow("Azure fails.");
      expect(alive(emulator)).toContain(identityId);
      const next = await users.identityOf(owner, {}, {});
      expect(next).not.toBe(identityId);
      await using worker = workerOf(1);
      expect(await worker.round()).toBe(1);
      expect(alive(emulator)).not.toContain(identityId);
      expect(alive(emulator)).toContain(next);
      expect(await worker.round()).toBe(0);
    });

    it("has nothing left to delete after a deletion that worked", async () => {
      const users = usersOf(0, { deletingMs: 0 });
      const identityId = await users.identityOf(someone(), {}, {});
      await users.delete(identityId, () => replicas[0]!.service.delete(identityId, {}));
      await using worker = workerOf(0);
      expect(await worker.round()).toBe(0);
    });

    it("replaces an identity that was deleted behind its back, once for all gateways", async () => {
      const owner = someone();
      const [here, there] = [usersOf(0), usersOf(1)];
      const gone = await here.identityOf(owner, {}, {});
      expect(await there.identityOf(owner, {}, {})).toBe(gone);
      await replicas[2]!.service.delete(gone, {});
      const next = await here.replace(owner, gone, {}, {});
      expect(next).not.toBe(gone);
      // Who revokes or deletes must not be led by what is remembered.
      expect(await there.find(owner)).toBe(next);
      // The other still remembers the one that is gone; its replacement finds what is there by now.
      expect(await there.identityOf(owner, {}, {})).toBe(gone);
      expect(await there.replace(owner, gone, {}, {})).toBe(next);
    });

    it("deletes an ephemeral identity when its time is over, which each use puts off", async () => {
      const owner = someone();
      const options = { ephemeralForMs: 60_000 };
      const leftMs = async () => (await directories[2]!.find(owner))?.deleteInMs ?? 0;
      const identityId = await usersOf(0).identityOf(owner, options, {});
      // Time passes.
      await directories[0]!.prolong(owner, identityId, 1_000);
      expect(await usersOf(1).identityOf(owner, options, {})).toBe(identityId);
      expect(await leftMs()).toBeGreaterThan(30_000);
      await using worker = workerOf(1);
      await worker.round();
      expect(alive(emulator)).toContain(identityId);
      await directories[0]!.prolong(owner, identityId, 0);
      await until(async () => {
        await worker.round();
        return !alive(emulator).includes(identityId);
      });
      expect(await directories[2]!.find(owner)).toBeUndefined();
      expect(await usersOf(0).identityOf(owner, options, {})).not.toBe(identityId);
    });

    it("deletes an identity that is nobody's at the time it was told", async () => {
      const { identityId } = await replicas[0]!.service.create({}, {});
      await usersOf(0).deleteLater(identityId, 100);
      await using worker = workerOf(1);
      await until(async () => (await worker.round()) === 1);
      expect(alive(emulator)).not.toContain(identityId);
    });

    it("tries again what Azure could not delete, and gives up on another resource's", async () => {
      const { identityId } = await replicas[0]!.service.create({}, {});
      const foreign = "8:acs:00000000-0000-4000-8000-000000000000_nobody";
      await directories[0]!.scheduleDeletion(identityId, 0);
      await directories[0]!.scheduleDeletion(foreign, 0);
      emulator.faults.add({ kind: "status", status: 503, operation: "deleteIdentity" });
      await using worker = workerOf(1);
      expect(await worker.round()).toBe(0);
      emulator.faults.clear();
      await until(async () => {
        await worker.round();
        return !alive(emulator).includes(identityId);
      });
      await until(async () => (await directories[0]!.takeDue(10, 0)).length === 0);
    });

    it("gives each identity that is due to one of the workers", async () => {
      const ids = Array.from(
        { length: 40 },
        (_, index) => `8:acs:00000000-0000-4000-8000-000000000000_${index}`,
      );
      await Promise.all(ids.map((id) => directories[0]!.scheduleDeletion(id, 0)));
      const taken = await Promise.all(
        Array.from({ length: 9 }, (_, index) => directories[index % 3]!.takeDue(10, 60_000)),
      );
      const found = taken.flat().map(({ identityId }) => identityId);
      expect(found).toHaveLength(40);
      expect(new Set(found).size).toBe(40);
      await Promise.all(ids.map((id) => directories[0]!.deletionDone(id)));
    });

    it("has its tables made by gateways that start at once, and refuses those of a newer one", async () => {
      await Promise.all([1, 2, 3].map(() => migrate(database.open())));
      const opened = database.open();
      await opened.query("INSERT INTO acs_gateway_migrations (version) VALUES (1000)");
      await expect(migrate(opened)).rejects.toThrow(
        "of version 1000; this gateway knows 1. Run a newer gateway.",
      );
      await opened.query("DELETE FROM acs_gateway_migrations WHERE version = 1000");
    });

    it(`never has two identities for one user, whatever happens at once (SEED=${runSeed})`, async () => {
      const random = seededRandom(runSeed);
      for (let round = 0; round < 8; round++) await playRound(random);
    }, 120_000);

    async function playRound(random: Random): Promise<void> {
      const owner = someone();
      const gateways = [0, 1, 2].map((index) =>
        usersOf(index, { claimMs: random.between(20, 60), deletingMs: 0 }),
      );
      const step = async (users: UserIdentities): Promise<void> => {
        const identityId = await users.identityOf(owner, {}, {});
        const what = random.pick(["delete", "deleteBehindItsBack", "replace", "use"] as const);
        if (what === "delete")
          await users.delete(identityId, () => replicas[0]!.service.delete(identityId, {}));
        if (what === "deleteBehindItsBack") await replicas[1]!.service.delete(identityId, {});
        if (what === "replace") await users.replace(owner, identityId, {}, {});
      };
      await Promise.all(
        gateways.map(async (users) => {
          for (let count = 0; count < 4; count++) await step(users);
        }),
      );
      // Every gateway, whatever it remembers, comes to the same identity by the way that a caller takes.
      const settled = await Promise.all(gateways.map((users) => usable(users, owner)));
      expect(new Set(settled).size).toBe(1);
    }

    /** As a caller does: what Azure does not know is replaced. */
    async function usable(users: UserIdentities, owner: Owner): Promise<string> {
      for (;;) {
        const identityId = await users.identityOf(owner, {}, {});
        const inDirectory = (await directories[0]!.find(owner))?.identityId;
        if (alive(emulator).includes(identityId) && inDirectory === identityId) return identityId;
        await users.replace(owner, identityId, {}, {});
      }
    }

    function workerOf(index: number): DeletionWorker {
      return new DeletionWorker(
        directories[index]!,
        (identityId) => replicas[index]!.service.delete(identityId, {}),
        events,
        () => undefined,
        { retryMs: 0, expiredClaimMs: 0 },
      );
    }
  });
}

const unusable = {
  query: () => Promise.reject(new Error("Nobody may ask.")),
  transaction: () => Promise.reject(new Error("Nobody may ask.")),
};
