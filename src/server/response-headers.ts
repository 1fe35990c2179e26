/** The headers of every answer, of whatever kind, that do not depend on the request. */

const always = [
  // Whatever is answered may hold a token, or an error about one.
  "cache-control",
  "no-store",
  "x-content-type-options",
  "nosniff",
  "referrer-policy",
  "no-referrer",
  // JSON that a browser is made to show can neither load nor run anything, nor be framed. Pages have policies of their own.
  "content-security-policy",
  "default-src 'none'; frame-ancestors 'none'",
  "x-frame-options",
  "DENY",
  // Other sites' pages can neither load nor embed it; reading by those that CORS allows is another matter (Fetch, 3.7).
  "cross-origin-resource-policy",
  "same-origin",
] as const;

/** A year: browsers that have been here once do not speak plain HTTP to this host any more (RFC 6797). */
const overTls = ["strict-transport-security", "max-age=31536000"] as const;

/** Name, value, name, value … */
export function responseHeaders(tls: boolean): readonly string[] {
  return tls ? [...always, ...overTls] : always;
}

/** The same for a page with another Content-Security-Policy. */
export function withPolicy(headers: readonly string[], policy: string): readonly string[] {
  const at = headers.indexOf("content-security-policy");
  return [...headers.slice(0, at + 1), policy, ...headers.slice(at + 2)];
}
