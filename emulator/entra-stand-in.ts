/** A stand-in for Entra: makes and checks the tokens of applications and of Teams users. */
import type { JwtKey } from "./jwt";
import { denied } from "./rest-error";

/** The audience that ACS SDKs ask for, with and without the slash that their scope ends in. */
const audiences = ["https://communication.azure.com", "https://communication.azure.com/"];

/** The audience of a Teams user's token, as the ACS documentation names it. */
const teamsAudience = "https://auth.msft.communication.azure.com";

/** What a Teams user's token says. */
export interface TeamsUser {
  readonly clientId: string;
  readonly userObjectId: string;
  /** Default 3600. */
  readonly expiresInSeconds?: number;
}

/** Signs with a key that is known to one emulator only. */
export class EntraStandIn {
  /** Set to answer bearer tokens that lack these claims with a challenge (continuous access evaluation). */
  requiredClaims: string | undefined;

  constructor(
    private readonly key: JwtKey,
    private readonly clock: () => number,
  ) {}

  /** An application's token for ACS. */
  token(options: { audience?: string; expiresInSeconds?: number; claims?: string } = {}): Promise<string> {
    const { audience = "https://communication.azure.com", expiresInSeconds = 3600, claims } = options;
    return this.sign({ aud: audience, sub: "application", claims }, expiresInSeconds);
  }

  /** A Teams user's token for the exchange. */
  teamsToken({ clientId, userObjectId, expiresInSeconds = 3600 }: TeamsUser): Promise<string> {
    return this.sign({ aud: teamsAudience, appid: clientId, oid: userObjectId }, expiresInSeconds);
  }

  /** Throws 401 unless this is a good application's token. */
  checkBearer(token: string): void {
    const claims = this.key.verify(token);
    if (!claims || !audiences.includes(String(claims.aud)) || this.expired(claims)) throw denied();
    const required = this.requiredClaims;
    if (required !== undefined && claims.claims !== required) {
      const encoded = Buffer.from(required).toString("base64");
      throw denied({
        "www-authenticate": `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="${encoded}"`,
      });
    }
  }

  /** The user of a Teams token, and when it ends; undefined when the token is not good. */
  readTeamsToken(token: string): { clientId: string; userObjectId: string; expiresOn: number } | undefined {
    const claims = this.key.verify(token);
    if (claims?.aud !== teamsAudience || this.expired(claims)) return undefined;
    return {
      clientId: String(claims.appid),
      userObjectId: String(claims.oid),
      expiresOn: Number(claims.exp) * 1000,
    };
  }

  private expired(claims: Record<string, unknown>): boolean {
    return Number(claims.exp) * 1000 <= this.clock();
  }

  private sign(claims: object, expiresInSeconds: number): Promise<string> {
    const now = Math.floor(this.clock() / 1000);
    return this.key.sign({
      iss: "https://sts.windows.net/emulator/",
      ...claims,
      iat: now,
      exp: now + expiresInSeconds,
    });
  }
}
