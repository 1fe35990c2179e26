/** Asks ACS Identity whether it takes a credential, through the official SDK, and leaves nothing behind. */
import type { Clock } from "../clock";
import { acsClient, type AcsPolicy } from "./acs-client";
import type { AcsOptions } from "./acs-identity-provider";
import { UpstreamFailure } from "./upstream-failure";

/** Which resource, and as whom. */
export type AcsProbeOptions = Pick<
  AcsOptions,
  "endpoint" | "credential" | "throughProxy" | "ca" | "resourceId"
>;

/** What came of it. */
export interface AcsSight {
  /**
   * `accepted`: Azure knows who asks and lets it. `denied`: 401. `forbidden`: 403. `noToken`: Entra gave no token.
   * `throttled`: 429. `unanswered`: no answer came; `code` says why. `unexpected`: any other answer.
   */
  readonly outcome:
    "accepted" | "denied" | "forbidden" | "noToken" | "throttled" | "unanswered" | "unexpected";
  readonly status: number | undefined;
  /** Azure's code, the socket's, or Entra's (`AADSTS700016`). */
  readonly code: string | undefined;
  /** How far Azure's clock (the `Date` of its answer) is ahead of this machine's, in milliseconds. */
  readonly skewMs: number | undefined;
  readonly roundTripMs: number;
}

/** The scope of ACS's data plane, with both slashes. */
const entraScope = "https://communication.azure.com//.default";
const nobody = "00000000-0000-0000-0000-000000000000";

/**
 * Asks for a token of an identity that does not exist. Azure says so (`IdentityNotOwned`, or that there is none) to whom
 * it takes for the resource, and `Denied` to everybody else. Nothing is made: of all operations this is the cheapest that
 * can fail only in this way, and it asks for the right that the gateway needs most.
 */
export async function probeAcs(
  options: AcsProbeOptions,
  clock: Clock,
  signal: AbortSignal,
): Promise<AcsSight> {
  const began = performance.now();
  let skewMs: number | undefined;
  const sight = (outcome: AcsSight["outcome"], status?: number, code?: string): AcsSight => ({
    outcome,
    status,
    code,
    skewMs,
    roundTripMs: performance.now() - began,
  });
  const { credential } = options;
  if (!("accessKey" in credential)) {
    try {
      if (!(await credential.getToken(entraScope, { abortSignal: signal }))) return sight("noToken");
    } catch (error) {
      return sight("noToken", undefined, entraCode(error));
    }
  }
  const { client, agent } = acsClient({ ...options, maxSockets: 1 }, [
    clockPolicy(clock, (dateMs, midMs) => {
      // The header has whole seconds: half of one later is right on average.
      skewMs = dateMs + 500 - midMs;
    }),
  ]);
  const user = { communicationUserId: `8:acs:${options.resourceId ?? nobody}_${nobody}` };
  try {
    await client.getToken(user, ["chat"], { abortSignal: signal, tokenExpiresInMinutes: 60 });
    return sight("accepted", 200);
  } catch (error) {
    const failure = new UpstreamFailure(error, clock.now(), signal.aborted);
    const { status, code } = failure;
    if (failure.identityGone || code === "IdentityNotOwned") return sight("accepted", status, code);
    if (status === undefined)
      return sight("unanswered", status, signal.aborted ? "TIMEOUT" : (causeCode(error) ?? code));
    if (status === 401) return sight("denied", status, code);
    if (status === 403) return sight("forbidden", status, code);
    if (status === 429) return sight("throttled", status, code);
    return sight("unexpected", status, code);
  } finally {
    agent.destroy();
  }
}

/** Tells the `Date` of each answer, and the middle of the time that it was under way. */
function clockPolicy(clock: Clock, onDate: (dateMs: number, midMs: number) => void) {
  return {
    position: "perRetry",
    policy: {
      name: "clockOfAcs",
      sendRequest: async (request, next) => {
        const [sentAt, began] = [clock.now(), performance.now()];
        const response = await next(request);
        const date = Date.parse(response.headers.get("date") ?? "");
        if (Number.isFinite(date)) onDate(date, sentAt + (performance.now() - began) / 2);
        return response;
      },
    },
  } satisfies AcsPolicy;
}

/** Entra's number for what is wrong, or the error's kind; never its text, which may name anything. */
function entraCode(error: unknown): string | undefined {
  const { message, name } = (error ?? {}) as { message?: unknown; name?: unknown };
  const number = typeof message === "string" ? /\bAADSTS\d{4,8}\b/.exec(message)?.[0] : undefined;
  return number ?? (typeof name === "string" && /^\w{1,64}$/.test(name) ? name : undefined);
}

/** The socket's code, which the SDK may have wrapped. */
function causeCode(error: unknown): string | undefined {
  for (let each = error, depth = 0; each instanceof Error && depth < 4; each = each.cause, depth++) {
    const { code } = each as { code?: unknown };
    if (typeof code === "string" && code !== "REQUEST_SEND_ERROR" && /^[A-Z][A-Z0-9_]{1,63}$/.test(code))
      return code;
  }
  return undefined;
}
