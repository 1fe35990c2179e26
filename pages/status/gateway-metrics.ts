/** Fetches the gateway's metrics, with a key that this tab keeps. */

/** Result of one fetch. */
export type Outcome =
  | { readonly kind: "metrics"; readonly text: string }
  /** The key is not accepted. */
  | { readonly kind: "refused"; readonly message: string }
  /** No metrics this time. */
  | { readonly kind: "failed"; readonly message: string; readonly retryAfterSeconds?: number };

const timeoutMs = 10_000;
/** Three parts in base64url: an issuer token. API keys have no dots. */
const jwt = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const stored = "acs-token-gateway.key";

/** The key from the address (`#key=…`), which is removed from it, or the one this tab has kept. */
export function takeKey(): string | undefined {
  const fromLink = new URLSearchParams(location.hash.slice(1)).get("key")?.trim();
  if (fromLink) {
    keepKey(fromLink);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(stored) ?? undefined;
}

/** Keeps the key until the tab is closed. */
export function keepKey(key: string): void {
  sessionStorage.setItem(stored, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(stored);
}

/** Fetches once. Never rejects. */
export async function fetchMetrics(key: string): Promise<Outcome> {
  if (!/^[\x21-\x7e]+$/.test(key)) {
    return { kind: "refused", message: "This is not a key: it contains characters that keys never have." };
  }
  try {
    const response = await fetch("/metrics", {
      headers: jwt.test(key) ? { authorization: `Bearer ${key}` } : { "x-api-key": key },
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.ok) return { kind: "metrics", text: await response.text() };
    return refusal(response.status, Number(response.headers.get("retry-after")));
  } catch {
    return { kind: "failed", message: "The gateway does not answer" };
  }
}

function refusal(status: number, retryAfterSeconds: number): Outcome {
  switch (status) {
    case 401:
      return {
        kind: "refused",
        message:
          "The gateway does not know this key (401). Check that you copied all of it, and that it has not been removed or expired.",
      };
    case 403:
      return {
        kind: "refused",
        message:
          "This key may not read metrics (403). Use one with the right gateway:operate, or add rights=gateway:operate to its entry in API_KEYS.",
      };
    case 429:
      return {
        kind: "failed",
        message: "Too many requests (429)",
        retryAfterSeconds: retryAfterSeconds || 10,
      };
    default:
      return { kind: "failed", message: `The gateway answers ${status} to /metrics` };
  }
}
