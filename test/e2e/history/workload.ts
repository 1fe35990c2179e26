/** Many clients that issue, revoke and delete at random on random gateways, and write down what they see. */
import {
  CreateIdentityDocument,
  DeleteIdentityDocument,
  IssueTokenDocument,
  RevokeTokensDocument,
} from "../../../operations/generated/operations";
import type { GraphqlClient } from "../../support/graphql-client";
import type { Random } from "../../support/random";
import { historyClock, type HistoryEntry } from "./history";

/** What the clients do. */
export interface WorkloadOptions {
  /** The gateways as they are now; one that was started again has another client. */
  readonly clients: () => readonly GraphqlClient[];
  readonly random: Random;
  /** How many clients at once. */
  readonly atOnce: number;
  /** How many identities at a time; a deleted one is replaced. */
  readonly identities: number;
  /** The share of operations that revoke, and that delete. */
  readonly endings: { readonly revoke: number; readonly delete: number };
  /** The longest that a client thinks between two operations, in milliseconds. */
  readonly thinkMs: number;
}

const wishes = [
  { scopes: ["CHAT"], expiresInMinutes: 1440 },
  { scopes: ["CHAT", "VOIP"], expiresInMinutes: 1440 },
  { scopes: ["CHAT"], expiresInMinutes: 60 },
] as const;
const forced = IssueTokenDocument.toString().replace("input: {", "input: {forceRefresh: true, ");
/** ACS's spelling. */
const acsScopes: Readonly<Record<string, string>> = { CHAT: "chat", VOIP: "voip" };
/** A client gives up a gateway that is frozen. */
const patienceMs = 15_000;

/** Runs clients until `signal` aborts; resolves once the last has its answer. What they see is added to `history` meanwhile. */
export async function runWorkload(
  options: WorkloadOptions,
  signal: AbortSignal,
  history: HistoryEntry[],
): Promise<void> {
  const { random, clients } = options;
  const identities: string[] = [];

  const create = async () => {
    while (!signal.aborted) {
      try {
        const { createIdentity } = await random.pick(clients()).data(CreateIdentityDocument, {});
        return createIdentity.identity.id;
      } catch {
        await pause(50);
      }
    }
    return undefined;
  };
  for (const id of await Promise.all(Array.from({ length: options.identities }, create))) {
    if (id !== undefined) identities.push(id);
  }

  const operate = async () => {
    const identityId = random.pick(identities);
    const replica = Math.floor(random() * clients().length);
    const client = clients()[replica];
    if (!client) return;
    const dice = random();
    const kind =
      dice < options.endings.revoke
        ? "revoke"
        : dice < options.endings.revoke + options.endings.delete
          ? "delete"
          : "issue";
    const wish = random.pick(wishes);
    const force = random() < 0.05;
    const document =
      kind === "revoke"
        ? RevokeTokensDocument
        : kind === "delete"
          ? DeleteIdentityDocument
          : force
            ? forced
            : IssueTokenDocument;
    const start = historyClock();
    const { outcome, data } = await ask(client, document.toString(), {
      identityId,
      ...(kind === "issue" ? wish : {}),
    });
    const end = historyClock();
    const entry = { identityId, replica, start, end, outcome };
    if (kind !== "issue") {
      history.push({ kind, ...entry });
    } else {
      const { token, source } = data?.issueToken?.accessToken ?? {};
      history.push({
        kind,
        ...entry,
        key: `${identityId.slice(-6)} ${wish.scopes.join("+")} ${wish.expiresInMinutes}`,
        scopes: wish.scopes.map((scope) => acsScopes[scope] ?? scope),
        forced: force,
        ...(token === undefined ? {} : { token }),
        ...(source === undefined ? {} : { source }),
      });
    }
    if (kind === "delete" && identities.includes(identityId)) {
      const fresh = await create();
      if (fresh !== undefined) identities[identities.indexOf(identityId)] = fresh;
    }
  };
  const client = async () => {
    while (!signal.aborted) {
      await operate();
      await pause(random() * options.thinkMs);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, client));
}

interface IssueData {
  readonly issueToken?: {
    readonly accessToken: { readonly token: string; readonly source: "CACHE" | "ISSUED" };
  };
}

async function ask(client: GraphqlClient, query: string, variables: object) {
  try {
    const { data, errors } = await client.send<IssueData>(query, variables as Record<string, unknown>, {
      signal: AbortSignal.timeout(patienceMs),
    });
    const code = errors?.[0]?.extensions.code;
    return { outcome: errors ? String(code) : "OK", data: data ?? undefined };
  } catch {
    return { outcome: "NETWORK", data: undefined };
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
