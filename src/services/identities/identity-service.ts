/** Makes and deletes identities; a deletion is a revocation first. */
import { badInput } from "../../errors";
import type { CallOptions, IdentityProvider } from "../azure/identity-provider";
import type { Events } from "../telemetry/events";
import { canonicalScopes, checkLifetime, lifetimeMinutes as lifetimes } from "../tokens/token-key";
import type { TokenScope } from "../tokens/token-scope";
import type { ServedToken, TokenService } from "../tokens/token-service";
import { checkIdentityId } from "./identity-id";

/** What a new identity is to come with. */
export interface NewIdentity {
  /** A token for these scopes, in the same call to Azure; none when not given. */
  readonly scopes?: readonly TokenScope[] | undefined;
  /** Whole minutes, 60 to 1440; only together with `scopes`. */
  readonly lifetimeMinutes?: number | undefined;
}

/** The life of identities. */
export class IdentityService {
  constructor(
    private readonly azure: IdentityProvider,
    private readonly tokens: TokenService,
    private readonly events: Pick<Events, "identityCreated" | "identityDeleted">,
  ) {}

  /** Makes an identity at Azure, with or without a token. Rejects as {@link IdentityProvider} does. */
  async create(wanted: NewIdentity, call: CallOptions): Promise<{ identityId: string; token?: ServedToken }> {
    if (!wanted.scopes) {
      if (wanted.lifetimeMinutes !== undefined) {
        throw badInput(
          "input.expiresInMinutes",
          "expiresInMinutes is a token's lifetime: name the token's scopes too.",
        );
      }
      const { identityId } = await this.azure.createIdentity(undefined, call);
      this.events.identityCreated({ withToken: false });
      return { identityId };
    }
    const scopes = canonicalScopes(wanted.scopes);
    const lifetimeMinutes = checkLifetime(wanted.lifetimeMinutes ?? lifetimes.default);
    const { identityId, token } = await this.azure.createIdentity({ scopes, lifetimeMinutes }, call);
    this.events.identityCreated({ withToken: true });
    if (!token) return { identityId };
    await this.tokens.remember(identityId, scopes, lifetimeMinutes, token);
    return { identityId, token: { ...token, scopes, source: "issued" } };
  }

  /** Deletes an identity with all its tokens and data; one that is gone already counts as deleted. */
  async delete(identityId: string): Promise<void> {
    checkIdentityId(identityId, "input.identityId");
    await this.tokens.endTokens(identityId, "deletion", () => this.azure.deleteIdentity(identityId, {}));
    this.events.identityDeleted();
  }
}
