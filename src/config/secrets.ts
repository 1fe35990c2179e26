/** Everything in the configuration that must never be seen in a log. */
import type { Config } from "../config";

/** The secrets as texts, in every form that one has outside of this process. */
export function secretsIn({ acs, redis, tokens, access, directory }: Config): string[] {
  const { databaseUrl } = directory ?? {};
  const passwords = [
    ...acs.resources.map(({ accessKey }) => accessKey),
    redis?.address.password,
    redis?.sentinelPassword,
    access.developmentKey,
    ...(databaseUrl === undefined ? [] : passwordsIn(databaseUrl)),
  ].filter((secret) => secret !== undefined);
  const keys = tokens.encryptionKeys
    .map(({ secret }) => secret.export())
    .flatMap((secret) => [secret.toString("base64"), secret.toString("base64url"), secret.toString("hex")]);
  return [...passwords, ...keys];
}

/** As it is written in the URL, and as it is. */
function passwordsIn(url: string): string[] {
  const { password } = new URL(url);
  return [password, decodeURIComponent(password)];
}
