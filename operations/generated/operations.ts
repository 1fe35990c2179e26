/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** What kind of caller the gateway takes somebody for. */
export type CallerKind =
  /** A user whom his issuer calls a guest: he may join, and his identity may be deleted later. */
  | 'GUEST'
  /** A program with an API key. */
  | 'SERVICE'
  /** A user of the app, with an access token of an issuer that the gateway trusts. */
  | 'USER';

/** Why an identity's tokens ended. */
export type RevocationCause =
  /** The identity was deleted. A user who asks for a token gets a new identity; the stream ends here. */
  | 'IDENTITY_DELETED'
  /** They were revoked. Ask for a new one. */
  | 'REVOKED';

/** What an access token allows. `CHAT` includes `CHAT_JOIN`, which includes `CHAT_JOIN_LIMITED`; `VOIP` includes `VOIP_JOIN`. Ask for the least that does. */
export type TokenScope =
  /** All of Chat (`chat`). */
  | 'CHAT'
  /** Chat without creating, updating or deleting threads (`chat.join`). */
  | 'CHAT_JOIN'
  /** `CHAT_JOIN` without adding or removing participants (`chat.join.limited`). */
  | 'CHAT_JOIN_LIMITED'
  /** All of Calling (`voip`). */
  | 'VOIP'
  /** Calling without starting calls (`voip.join`). */
  | 'VOIP_JOIN';

/** Where an access token came from. */
export type TokenSource =
  /** It was issued for an earlier request and is still good. */
  | 'CACHE'
  /** Azure issued it for this request, or for one that was made at the same time. */
  | 'ISSUED';

export type CreateIdentityAndTokenMutationVariables = Exact<{
  scopes?: Array<TokenScope> | TokenScope | null | undefined;
  expiresInMinutes?: number | null | undefined;
}>;


export type CreateIdentityAndTokenMutation = { createIdentity: { identity: { id: string }, accessToken: { token: string, expiresOn: string, scopes: Array<TokenScope>, source: TokenSource } | null } };

export type CreateIdentityMutationVariables = Exact<{ [key: string]: never; }>;


export type CreateIdentityMutation = { createIdentity: { identity: { id: string } } };

export type IssueTokenMutationVariables = Exact<{
  identityId: string;
  scopes?: Array<TokenScope> | TokenScope;
  expiresInMinutes?: number | null | undefined;
}>;


export type IssueTokenMutation = { issueToken: { identity: { id: string }, accessToken: { token: string, expiresOn: string, scopes: Array<TokenScope>, source: TokenSource } } };

export type RefreshTokenMutationVariables = Exact<{
  identityId: string;
  scopes?: Array<TokenScope> | TokenScope;
}>;


export type RefreshTokenMutation = { issueToken: { accessToken: { token: string, expiresOn: string, source: TokenSource } } };

export type IdentityQueryVariables = Exact<{
  identityId: string;
}>;


export type IdentityQuery = { identity: { id: string, cachedTokens: Array<{ scopes: Array<TokenScope>, expiresOn: string }> } | null };

export type ViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewerQuery = { viewer: { name: string, kind: CallerKind, identity: { id: string } | null } };

export type RevokeTokensMutationVariables = Exact<{
  identityId: string;
}>;


export type RevokeTokensMutation = { revokeTokens: { effectiveBy: string, identity: { id: string } } };

export type TokenRevokedSubscriptionVariables = Exact<{
  identityId: string;
}>;


export type TokenRevokedSubscription = { tokenRevoked: { cause: RevocationCause, revokedAt: string, identity: { id: string } } };

export type DeleteIdentityMutationVariables = Exact<{
  identityId: string;
}>;


export type DeleteIdentityMutation = { deleteIdentity: { deletedId: string } };

export type ExchangeTeamsTokenMutationVariables = Exact<{
  teamsUserAadToken: string;
  clientId: string;
  userObjectId: string;
}>;


export type ExchangeTeamsTokenMutation = { exchangeTeamsToken: { accessToken: { token: string, expiresOn: string } } };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}

export const CreateIdentityAndTokenDocument = new TypedDocumentString(`
    mutation CreateIdentityAndToken($scopes: [TokenScope!] = [CHAT, VOIP], $expiresInMinutes: Int) {
  createIdentity(input: {scopes: $scopes, expiresInMinutes: $expiresInMinutes}) {
    identity {
      id
    }
    accessToken {
      token
      expiresOn
      scopes
      source
    }
  }
}
    `) as unknown as TypedDocumentString<CreateIdentityAndTokenMutation, CreateIdentityAndTokenMutationVariables>;
export const CreateIdentityDocument = new TypedDocumentString(`
    mutation CreateIdentity {
  createIdentity {
    identity {
      id
    }
  }
}
    `) as unknown as TypedDocumentString<CreateIdentityMutation, CreateIdentityMutationVariables>;
export const IssueTokenDocument = new TypedDocumentString(`
    mutation IssueToken($identityId: ID!, $scopes: [TokenScope!]! = [VOIP], $expiresInMinutes: Int = 1440) {
  issueToken(
    input: {identityId: $identityId, scopes: $scopes, expiresInMinutes: $expiresInMinutes}
  ) {
    identity {
      id
    }
    accessToken {
      token
      expiresOn
      scopes
      source
    }
  }
}
    `) as unknown as TypedDocumentString<IssueTokenMutation, IssueTokenMutationVariables>;
export const RefreshTokenDocument = new TypedDocumentString(`
    mutation RefreshToken($identityId: ID!, $scopes: [TokenScope!]! = [VOIP]) {
  issueToken(
    input: {identityId: $identityId, scopes: $scopes, forceRefresh: true}
  ) {
    accessToken {
      token
      expiresOn
      source
    }
  }
}
    `) as unknown as TypedDocumentString<RefreshTokenMutation, RefreshTokenMutationVariables>;
export const IdentityDocument = new TypedDocumentString(`
    query Identity($identityId: ID!) {
  identity(id: $identityId) {
    id
    cachedTokens {
      scopes
      expiresOn
    }
  }
}
    `) as unknown as TypedDocumentString<IdentityQuery, IdentityQueryVariables>;
export const ViewerDocument = new TypedDocumentString(`
    query Viewer {
  viewer {
    name
    kind
    identity {
      id
    }
  }
}
    `) as unknown as TypedDocumentString<ViewerQuery, ViewerQueryVariables>;
export const RevokeTokensDocument = new TypedDocumentString(`
    mutation RevokeTokens($identityId: ID!) {
  revokeTokens(input: {identityId: $identityId}) {
    identity {
      id
    }
    effectiveBy
  }
}
    `) as unknown as TypedDocumentString<RevokeTokensMutation, RevokeTokensMutationVariables>;
export const TokenRevokedDocument = new TypedDocumentString(`
    subscription TokenRevoked($identityId: ID!) {
  tokenRevoked(identityId: $identityId) {
    identity {
      id
    }
    cause
    revokedAt
  }
}
    `) as unknown as TypedDocumentString<TokenRevokedSubscription, TokenRevokedSubscriptionVariables>;
export const DeleteIdentityDocument = new TypedDocumentString(`
    mutation DeleteIdentity($identityId: ID!) {
  deleteIdentity(input: {identityId: $identityId}) {
    deletedId
  }
}
    `) as unknown as TypedDocumentString<DeleteIdentityMutation, DeleteIdentityMutationVariables>;
export const ExchangeTeamsTokenDocument = new TypedDocumentString(`
    mutation ExchangeTeamsToken($teamsUserAadToken: String!, $clientId: ID!, $userObjectId: ID!) {
  exchangeTeamsToken(
    input: {teamsUserAadToken: $teamsUserAadToken, clientId: $clientId, userObjectId: $userObjectId}
  ) {
    accessToken {
      token
      expiresOn
    }
  }
}
    `) as unknown as TypedDocumentString<ExchangeTeamsTokenMutation, ExchangeTeamsTokenMutationVariables>;