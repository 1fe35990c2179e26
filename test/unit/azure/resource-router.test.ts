/** The router over several resources: what one create may and may not be asked of. */
import { expect, it } from "@jest/globals";
import { GatewayError } from "../../../src/errors";
import { acsUnavailable } from "../../../src/services/azure/acs-errors";
import { CreateAttempts } from "../../../src/services/azure/create-attempts";
import type { ProcessProvider } from "../../../src/services/azure/identity-provider";
import { ResourceRouter } from "../../../src/services/azure/resource-router";
import { resourceOf } from "../../../src/services/identities/identity-id";

const idOf = (index: number) => `0e0ac5e0-0000-4000-8000-00000000000${index}`;

interface Answer {
  succeed: () => void;
  fail: (error: Error) => void;
}

/** Resources that answer when and how a test says; `asked` has which were asked for an identity, in their order. */
function controlled(count: number) {
  const asked: number[] = [];
  const nobodyAsks = () => {
    throw new Error("Nobody has asked it.");
  };
  const answers = Array.from({ length: count }, (): Answer => ({ succeed: nobodyAsks, fail: nobodyAsks }));
  const resources = answers.map((answer, index) => {
    const provider = {
      deadlineMs: 10_000,
      createIdentity: () => {
        asked.push(index);
        return new Promise((resolve, reject) => {
          answer.succeed = () => {
            resolve({ identityId: `8:acs:${idOf(index)}_somebody` });
          };
          answer.fail = reject;
        });
      },
    } as unknown as ProcessProvider;
    return { name: `resource ${index}`, resourceId: idOf(index), weight: 1, provider };
  });
  return { router: new ResourceRouter(resources, () => 0), asked, answers };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));
const unknown = () => new GatewayError("UPSTREAM_UNAVAILABLE", "No answer.");
const full = (retryAfterSeconds: number) => new GatewayError("RATE_LIMITED", "Full.", { retryAfterSeconds });

it("asks nobody else by itself after a resource that may have made something, and never that one again", async () => {
  const { router, asked, answers } = controlled(3);
  const attempts = new CreateAttempts();
  const first = router.createIdentity(undefined, { attempts });
  answers[0]!.fail(unknown());
  await expect(first).rejects.toMatchObject({ code: "UPSTREAM_UNAVAILABLE" });
  expect([asked, attempts.more]).toEqual([[0], true]);
  const second = router.createIdentity(undefined, { attempts });
  answers[asked.at(-1)!]!.fail(unknown());
  await expect(second).rejects.toThrow();
  const third = router.createIdentity(undefined, { attempts });
  expect(attempts.more).toBe(false);
  answers[asked.at(-1)!]!.succeed();
  await third;
  expect([...asked].sort()).toEqual([0, 1, 2]);
});

it("goes on by itself after one that made nothing, and comes back to the one that has room soonest", async () => {
  const { router, asked, answers } = controlled(3);
  const created = router.createIdentity(undefined, {});
  answers[asked.at(-1)!]!.fail(full(3));
  await settled();
  answers[asked.at(-1)!]!.fail(acsUnavailable("does not listen", { hadNoEffect: true }));
  await settled();
  answers[asked.at(-1)!]!.fail(full(2));
  await settled();
  expect(asked).toHaveLength(4);
  expect(asked[3]).toBe(asked[2]);
  answers[asked[3]!]!.succeed();
  expect(resourceOf((await created).identityId)).toBe(idOf(asked[3]!));
});

it("asks nobody for a caller who has asked elsewhere meanwhile", async () => {
  const { router, asked, answers } = controlled(3);
  const attempts = new CreateAttempts();
  const slow = router.createIdentity(undefined, { attempts });
  const late = expect(slow).rejects.toMatchObject({ code: "RATE_LIMITED" });
  const other = router.createIdentity(undefined, { attempts });
  expect(asked).toHaveLength(2);
  answers[asked[0]!]!.fail(full(1));
  await late;
  expect(asked).toHaveLength(2);
  answers[asked[1]!]!.succeed();
  await other;
  // The slow one rests: it is the last to be asked.
  const next = router.createIdentity(undefined, {});
  expect(asked[2]).not.toBe(asked[0]);
  answers[asked[2]!]!.succeed();
  await next;
});

it("charges a caller once for an identity, wherever it is asked for, and not at all when he has no more", async () => {
  const { router, asked, answers } = controlled(2);
  let charged = 0;
  const account = {
    charge: () => {
      charged += 1;
    },
  };
  const attempts = new CreateAttempts();
  const first = router.createIdentity(undefined, { attempts, account });
  answers[0]!.fail(unknown());
  await expect(first).rejects.toThrow();
  const second = router.createIdentity(undefined, { attempts, account });
  answers[1]!.succeed();
  await second;
  expect(charged).toBe(1);
  const poor = {
    id: "poor",
    charge: () => {
      throw full(60);
    },
  };
  await expect(router.createIdentity(undefined, { account: poor })).rejects.toMatchObject({
    code: "RATE_LIMITED",
  });
  expect(asked).toHaveLength(2);
});
