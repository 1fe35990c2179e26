"""The ACS access token quickstart through the gateway, in Python 3.10 or newer, standard library only."""

import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

# What to do about an error, by its `extensions.code`. All codes: README.md, "Errors".
ADVICE = {
    "BAD_USER_INPUT": "Correct the argument; sending the same again never helps.",
    "UNAUTHENTICATED": "Send a valid credential: npm start prints the key, set API_KEY to it.",
    "FORBIDDEN": "This caller has not the right; docs/access.md tells who may do what.",
    "IDENTITY_NOT_FOUND": "Create an identity and use its id.",
    "RATE_LIMITED": "A limit is reached; try again later.",
    "UPSTREAM_REJECTED": "Azure refuses the gateway itself; its operator must act.",
    "UPSTREAM_UNAVAILABLE": "Azure does not answer; try again later.",
    "INTERNAL_SERVER_ERROR": "Tell the gateway's operator the errorId; the log has the cause under it.",
}


class GatewayError(Exception):
    """The gateway did not do what it was asked.

    `code` is stable: decide by it, never by the message. It is None when no gateway has answered.
    """

    def __init__(self, message: str, extensions: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.extensions = extensions or {}
        self.code: str | None = self.extensions.get("code")

    @classmethod
    def of(cls, error: dict[str, Any]) -> "GatewayError":
        """The error that the gateway answered with, and what to do about it."""
        extensions = error.get("extensions") or {}
        code = extensions.get("code", "an error")
        text = [f"The gateway answers {code}: {error['message']}"]
        if "argument" in extensions:
            text.append(f"(argument: {extensions['argument']})")
        if "errorId" in extensions:
            text.append(f"(errorId: {extensions['errorId']})")
        if "retryAfterSeconds" in extensions:
            text.append(f"(wait {extensions['retryAfterSeconds']} s)")
        text.append(ADVICE.get(code, 'README.md, "Errors", tells what to do.'))
        return cls(" ".join(text), extensions)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The credential goes to the gateway's address and to no other."""

    def redirect_request(self, req, fp, code, msg, headers, newurl) -> None:
        return None


class GatewayClient:
    """The gateway's operations. Copy the three classes and ADVICE into your own backend."""

    # Longer than the 30 seconds after which the gateway itself gives up.
    TIMEOUT_SECONDS = 35
    # How often an operation is sent at most, and the longest wait in between.
    ATTEMPTS = 3
    LONGEST_WAIT_SECONDS = 30

    def __init__(self, url: str, credential: dict[str, str]) -> None:
        """`credential` is a header: {"x-api-key": …} for a service, {"authorization": "Bearer …"} for users."""
        self._url = url
        self._headers = {
            "content-type": "application/json",
            "accept": "application/graphql-response+json, application/json;q=0.9",
            **credential,
        }
        self._opener = urllib.request.build_opener(_NoRedirect)

    def create_identity(
        self, scopes: list[str] | None = None, expires_in_minutes: int | None = None
    ) -> dict[str, Any]:
        """A new identity, with scopes also a token for it in the same call. Never repeated: see `_send`."""
        query = """mutation ($input: CreateIdentityInput!) {
            createIdentity(input: $input) { identity { id } accessToken { token expiresOn source } }
        }"""
        arguments = {"scopes": scopes, "expiresInMinutes": expires_in_minutes}
        return self._send(query, arguments, repeatable=False)["createIdentity"]

    def issue_token(
        self,
        scopes: list[str],
        identity_id: str | None = None,
        expires_in_minutes: int | None = None,
        force_refresh: bool = False,
    ) -> dict[str, Any]:
        """A token, from the cache if it has a good one. A user leaves identity_id out."""
        query = """mutation ($input: IssueTokenInput!) {
            issueToken(input: $input) { identity { id } accessToken { token expiresOn source } }
        }"""
        arguments = {
            "identityId": identity_id,
            "scopes": scopes,
            "expiresInMinutes": expires_in_minutes,
            "forceRefresh": force_refresh,
        }
        return self._send(query, arguments)["issueToken"]

    def revoke_tokens(self, identity_id: str) -> dict[str, Any]:
        query = "mutation ($input: RevokeTokensInput!) { revokeTokens(input: $input) { effectiveBy } }"
        return self._send(query, {"identityId": identity_id})["revokeTokens"]

    def delete_identity(self, identity_id: str) -> dict[str, Any]:
        query = "mutation ($input: DeleteIdentityInput!) { deleteIdentity(input: $input) { deletedId } }"
        return self._send(query, {"identityId": identity_id})["deleteIdentity"]

    def exchange_teams_token(self, teams_user_token: str, client_id: str, user_id: str) -> dict[str, Any]:
        query = """mutation ($input: ExchangeTeamsTokenInput!) {
            exchangeTeamsToken(input: $input) { accessToken { token expiresOn source } }
        }"""
        arguments = {"teamsUserAadToken": teams_user_token, "clientId": client_id, "userObjectId": user_id}
        return self._send(query, arguments)["exchangeTeamsToken"]

    def _send(self, query: str, arguments: dict[str, Any], *, repeatable: bool = True) -> dict[str, Any]:
        """The operation's data. The caller's values go into the variables, never into the query's text.

        An operation that is repeatable (done twice it does no harm) is sent again when the gateway says that
        waiting helps. Creating an identity is not: its answer may be lost after the identity was made.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        body = json.dumps({"query": query, "variables": {"input": given}}).encode()
        attempt = 1
        while True:
            answer = self._post(body)
            if not answer.get("errors"):
                return answer["data"]
            error = GatewayError.of(answer["errors"][0])
            waiting_helps = error.code in ("RATE_LIMITED", "UPSTREAM_UNAVAILABLE")
            seconds = error.extensions.get("retryAfterSeconds", 2 ** (attempt - 1))
            if not (waiting_helps and repeatable) or attempt == self.ATTEMPTS:
                raise error
            if seconds > self.LONGEST_WAIT_SECONDS:
                raise error
            time.sleep(seconds)
            attempt += 1

    def _post(self, body: bytes) -> dict[str, Any]:
        """One request. An answer with errors has a status such as 401 or 429, and is GraphQL all the same."""
        request = urllib.request.Request(self._url, data=body, headers=self._headers, method="POST")
        try:
            try:
                response = self._opener.open(request, timeout=self.TIMEOUT_SECONDS)
            except urllib.error.HTTPError as error:  # any status but 2xx
                response = error
            with response:
                status, text = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
                raise GatewayError(f"The gateway at {self._url} does not answer in time.") from error
            raise GatewayError(f"No gateway answers at {self._url}. Start one with: npm start") from error
        try:
            answer = json.loads(text)
        except ValueError:  # an error page of a proxy, or another server
            answer = None
        if not isinstance(answer, dict) or not (answer.get("data") or answer.get("errors")):
            raise GatewayError(
                f"What answers at {self._url} is not the gateway (HTTP {status}). "
                "Is this its GraphQL endpoint?"
            )
        return answer


SCOPES = ["CHAT", "VOIP"]


def run_as_service(gateway: GatewayClient) -> None:
    """The whole quickstart."""
    step("1. Create an identity")
    identity_id = gateway.create_identity()["identity"]["id"]
    show(identity_id)

    step("2. Issue a token (chat, voip)")
    show_token(gateway.issue_token(SCOPES, identity_id)["accessToken"])

    step("3. Issue it once more: it comes from the cache")
    show_token(gateway.issue_token(SCOPES, identity_id)["accessToken"])

    step("4. Create an identity and a token in one call (60 minutes)")
    both = gateway.create_identity(SCOPES, expires_in_minutes=60)
    show(both["identity"]["id"])
    show_token(both["accessToken"])

    step("5. Refresh: a new token although the cached one is good")
    show_token(gateway.issue_token(SCOPES, identity_id, force_refresh=True)["accessToken"])

    step("6. Revoke all tokens")
    effective_by = gateway.revoke_tokens(identity_id)["effectiveBy"]
    show(f"The gateway serves none of them any more; Azure refuses them by {effective_by}")

    step("7. Delete the identities")
    for each in (identity_id, both["identity"]["id"]):
        show(f"{gateway.delete_identity(each)['deletedId']} is deleted")

    step("8. Exchange a Teams user's token")
    token, client_id, user_id = map(os.environ.get, ("TEAMS_USER_TOKEN", "TEAMS_CLIENT_ID", "TEAMS_USER_ID"))
    if token and client_id and user_id:
        show_token(gateway.exchange_teams_token(token, client_id, user_id)["accessToken"])
    else:
        show("Left out: TEAMS_USER_TOKEN, TEAMS_CLIENT_ID and TEAMS_USER_ID are not set")


def run_as_user(gateway: GatewayClient) -> None:
    """A user's identity is made on first use and stays his, so he names none."""
    step("1. Issue a token for your own identity (chat, voip)")
    issued = gateway.issue_token(SCOPES)
    show(issued["identity"]["id"])
    show_token(issued["accessToken"])

    step("2. Issue it once more: it comes from the cache")
    show_token(gateway.issue_token(SCOPES)["accessToken"])


def step(title: str) -> None:
    print(f"\n{title}")


def show(line: str) -> None:
    print(f"   {line}")


def show_token(access_token: dict[str, Any]) -> None:
    """Never the whole token: whoever has it chats and calls as this identity."""
    show(f"{access_token['token'][:8]}... {access_token['source']}, expires on {access_token['expiresOn']}")


def is_url(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # such as a port that is no number
        return False


def main() -> None:
    url = os.environ.get("GATEWAY_URL") or "http://127.0.0.1:4000/graphql"
    api_key = os.environ.get("API_KEY")
    access_token = os.environ.get("ACCESS_TOKEN")
    if not is_url(url):
        raise GatewayError(f"GATEWAY_URL is not a URL: {url}")
    # Printable ASCII, as a header can hold it.
    if not re.fullmatch("[!-~]+", api_key or access_token or ""):
        raise GatewayError(
            "Set API_KEY to the key that npm start has printed, "
            "or ACCESS_TOKEN to the access token of a user."
        )
    print(f"ACS access tokens through the gateway at {url}")
    if api_key:
        run_as_service(GatewayClient(url, {"x-api-key": api_key}))
    else:
        run_as_user(GatewayClient(url, {"authorization": f"Bearer {access_token}"}))


if __name__ == "__main__":
    try:
        main()
    except GatewayError as failure:
        sys.exit(str(failure))  # prints it to stderr and exits with 1
