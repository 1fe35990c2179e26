/** Asks the gateway for its figures, with a key that is kept in this page's memory alone. */
import type { Status } from "./status";

/** What the page wants to see. */
export interface View {
  readonly scope: "own" | "fleet";
  readonly span: "short" | "long";
}

/** What became of a question. */
export type Outcome =
  | { readonly kind: "status"; readonly status: Status }
  /** The credential does not do; why, in words. */
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "wait"; readonly seconds: number }
  /** No answer, or none that can be used. */
  | { readonly kind: "silent"; readonly why: string };

/** Longer than a gateway that is well takes. */
const patienceMs = 10_000;
/** Three parts in base64url: an access token. API keys have no dots. */
const jwt = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The development key, where the gateway gives it to pages on its own machine. */
export async function developmentKey(): Promise<string | undefined> {
  try {
    const response = await fetch(`${import.meta.env.BASE_URL}settings.json`);
    return response.ok ? ((await response.json()) as { apiKey?: string }).apiKey : undefined;
  } catch {
    return undefined;
  }
}

/** Asks once. Never rejects. */
export async function ask(key: string, { scope, span }: View): Promise<Outcome> {
  const headers = jwt.test(key) ? { authorization: `Bearer ${key}` } : { "x-api-key": key };
  try {
    const query = new URLSearchParams({ scope, span });
    const response = await fetch(`${import.meta.env.BASE_URL}data?${query.toString()}`, {
      headers,
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(patienceMs),
    });
    if (response.ok) return { kind: "status", status: (await response.json()) as Status };
    return await refusal(response);
  } catch (error) {
    // What a header cannot hold is no key.
    if (error instanceof TypeError && !/^[\x20-\x7e]+$/.test(key)) {
      return { kind: "refused", why: "This is no key: it has characters that keys do not have." };
    }
    return { kind: "silent", why: "The gateway does not answer." };
  }
}

async function refusal(response: Response): Promise<Outcome> {
  const { errors } = (await response.json().catch(() => ({}))) as {
    errors?: { extensions?: { code?: string; retryAfterSeconds?: number } }[];
  };
  const { code, retryAfterSeconds } = errors?.[0]?.extensions ?? {};
  switch (response.status) {
    case 401:
      return { kind: "refused", why: "The gateway does not know this key (401)." };
    case 403:
      return { kind: "refused", why: "This key lacks the right gateway:operate (403)." };
    case 429:
      return { kind: "wait", seconds: retryAfterSeconds ?? 10 };
    default:
      return { kind: "silent", why: `The gateway answers ${response.status}${code ? ` (${code})` : ""}.` };
  }
}
