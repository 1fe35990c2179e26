/** Signing in and out at the issuer: the authorization code flow with PKCE, and access tokens that are renewed in time. */
import { InMemoryWebStorage, UserManager, WebStorageStateStore, type User } from "oidc-client-ts";
import type { Settings } from "./settings";

/** Somebody who has signed in, for as long as this page is open. */
export interface SignedIn {
  readonly name: string;
  /** The value of the Authorization header, with an access token that is good. */
  authorization(): Promise<string>;
  signOut(): Promise<void>;
}

/** The door. */
export interface Door {
  /** Who has just come back from the issuer; undefined when nobody has. */
  readonly arrived: SignedIn | undefined;
  /** Goes to the issuer, which comes back to this page. */
  signIn(): Promise<void>;
}

/** Opens the door; finishes a sign-in if the address says that one is under way. */
export async function openDoor({ issuer, clientId }: Settings): Promise<Door> {
  const here = `${location.origin}/`;
  const manager = new UserManager({
    authority: issuer,
    client_id: clientId,
    redirect_uri: here,
    post_logout_redirect_uri: here,
    scope: "openid profile access",
    // Tokens stay in memory: what a page writes down, every script that ever gets into it can read.
    userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
    stateStore: new WebStorageStateStore({ store: sessionStorage }),
    automaticSilentRenew: false,
  });
  const isComingBack = /[?&](code|error)=/.test(location.search);
  const user = isComingBack ? await manager.signinRedirectCallback() : undefined;
  // The code is used up: a reload must not send it again.
  if (isComingBack) history.replaceState(null, "", here);
  return {
    arrived: user && signedIn(manager, user),
    signIn: () => manager.signinRedirect(),
  };
}

function signedIn(manager: UserManager, arrived: User): SignedIn {
  let user = arrived;
  return {
    name: user.profile.name ?? user.profile.sub,
    authorization: async () => {
      if ((user.expires_in ?? 0) < 30) user = (await manager.signinSilent()) ?? user;
      return `Bearer ${user.access_token}`;
    },
    signOut: () => manager.signoutRedirect({ id_token_hint: user.id_token ?? "" }),
  };
}
