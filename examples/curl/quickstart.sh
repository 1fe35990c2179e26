#!/bin/sh
# The ACS access token quickstart through the gateway, with curl and a POSIX shell.
set -eu
LC_ALL=C # ranges such as !-~ mean ASCII, on every machine
export LC_ALL

# The gateway itself gives up after 30 seconds.
timeout_seconds=35
# How often an operation is sent at most, and the longest wait in between.
attempts=3
longest_wait_seconds=30

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

# What to do about an error, by its extensions.code. All codes: README.md, "Errors".
advice() {
  case $1 in
    BAD_USER_INPUT) echo 'Correct the argument; sending the same again never helps.' ;;
    UNAUTHENTICATED) echo 'Send a valid credential: npm start prints the key, set API_KEY to it.' ;;
    FORBIDDEN) echo 'This caller has not the right; docs/access.md tells who may do what.' ;;
    IDENTITY_NOT_FOUND) echo 'Create an identity and use its id.' ;;
    RATE_LIMITED) echo 'A limit is reached; try again later.' ;;
    UPSTREAM_REJECTED) echo 'Azure refuses the gateway itself; its operator must act.' ;;
    UPSTREAM_UNAVAILABLE) echo 'Azure does not answer; try again later.' ;;
    INTERNAL_SERVER_ERROR) echo "Tell the gateway's operator the errorId; the log has the cause under it." ;;
    *) echo 'README.md, "Errors", tells what to do.' ;;
  esac
}

# json_string TEXT: TEXT as a JSON string. What comes from outside becomes part of a request only through this.
json_string() {
  case $1 in
    *[[:cntrl:]]*) fail 'A value contains a control character.' ;;
  esac
  printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"
}

# field NAME: the text or number of this field of the JSON on stdin, nothing if there is none. Each name occurs once in
# the answers to the operations below. A text that happens to hold NAME cannot be taken for the field: inside of a
# JSON string every quote has a backslash before it.
field() {
  tr -d '\r\n' |
    sed -n -E 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*("(([^"\\]|\\.)*)"|([0-9]+)).*/\2\4/p' |
    sed 's/\\\(["\\/]\)/\1/g'
}

# request BODY: sends it, and prints the answer and, in a line of its own, the HTTP status. An answer with errors has a
# status such as 401 or 429, and is GraphQL all the same. The credential is read from a file, since everybody on the
# machine can see the arguments of a program; so is the body, which may hold a token.
request() {
  printf '%s' "$1" | curl --silent --max-time "$timeout_seconds" --write-out '\n%{http_code}' \
    --header 'content-type: application/json' \
    --header 'accept: application/graphql-response+json, application/json;q=0.9' \
    --header @/dev/fd/3 --data-binary @- --url "$url" 3<<END
$credential
END
}

# gateway OPERATION INPUT_TYPE INPUT FIELDS [once]: sends the mutation, and leaves its answer in $answer. The query is
# fixed; all values are in the variables. An operation is sent again when the gateway says that waiting helps, but not
# with "once", for what must not be done twice: the answer may be lost after an identity was made.
gateway() {
  query="mutation (\$input: $2!) { $1(input: \$input) { $4 } }"
  body="{\"query\":$(json_string "$query"),\"variables\":{\"input\":$3}}"
  attempt=1
  pause=1
  while :; do
    curl_status=0
    answer=$(request "$body") || curl_status=$?
    case $curl_status in
      0) ;;
      28) fail "The gateway at $url does not answer in time." ;;
      *) fail "No gateway answers at $url. Start one with: npm start" ;;
    esac
    http_status=$(printf '%s\n' "$answer" | tail -n 1)
    answer=$(printf '%s\n' "$answer" | sed '$d')
    case $answer in
      *'"errors"'*) ;;
      *'"data"'*) return ;;
      *) fail "What answers at $url is not the gateway (HTTP $http_status). Is this its GraphQL endpoint?" ;;
    esac

    code=$(printf '%s\n' "$answer" | field code)
    seconds=$(printf '%s\n' "$answer" | field retryAfterSeconds)
    delay=${seconds:-$pause}
    if [ "${5-}" != once ] && [ "$attempt" -lt "$attempts" ] && [ "$delay" -le "$longest_wait_seconds" ]; then
      case $code in
        RATE_LIMITED | UPSTREAM_UNAVAILABLE)
          sleep "$delay"
          attempt=$((attempt + 1))
          pause=$((pause * 2))
          continue
          ;;
      esac
    fi
    argument=$(printf '%s\n' "$answer" | field argument)
    error_id=$(printf '%s\n' "$answer" | field errorId)
    text="The gateway answers ${code:-an error}: $(printf '%s\n' "$answer" | field message)"
    fail "$text${argument:+ (argument: $argument)}${error_id:+ (errorId: $error_id)}${seconds:+ (wait $seconds s)} $(advice "$code")"
  done
}

step() {
  printf '\n%s\n' "$1"
}

show() {
  printf '   %s\n' "$1"
}

# show_field NAME [AFTER]: a field of the answer.
show_field() {
  show "$(printf '%s\n' "$answer" | field "$1")${2-}"
}

# Never the whole token: whoever has it chats and calls as this identity.
show_token() {
  start=$(printf '%s\n' "$answer" | field token | cut -c 1-8)
  source=$(printf '%s\n' "$answer" | field source)
  show "$start... $source, expires on $(printf '%s\n' "$answer" | field expiresOn)"
}

url=${GATEWAY_URL:-http://127.0.0.1:4000/graphql}
api_key=${API_KEY:-}
access_token=${ACCESS_TOKEN:-}
case $url in
  *[![:graph:]]*) fail "GATEWAY_URL is not a URL: $url" ;;
  http://?* | https://?*) ;;
  *) fail "GATEWAY_URL is not a URL: $url" ;;
esac
# Printable ASCII, as a header can hold it.
case ${api_key:-$access_token} in
  '' | *[!!-~]*)
    fail 'Set API_KEY to the key that npm start has printed, or ACCESS_TOKEN to the access token of a user.'
    ;;
esac
if [ -n "$api_key" ]; then
  credential="x-api-key: $api_key"
else
  credential="authorization: Bearer $access_token"
fi
command -v curl >/dev/null || fail 'This example needs curl.'

scopes='["CHAT","VOIP"]'
identity='identity { id }'
access_token_fields='accessToken { token expiresOn source }'

printf '%s\n' "ACS access tokens through the gateway at $url"

if [ -z "$api_key" ]; then
  # As a user: his identity is made on first use and stays his, so he names none.
  step '1. Issue a token for your own identity (chat, voip)'
  gateway issueToken IssueTokenInput "{\"scopes\":$scopes}" "$identity $access_token_fields"
  show_field id
  show_token

  step '2. Issue it once more: it comes from the cache'
  gateway issueToken IssueTokenInput "{\"scopes\":$scopes}" "$access_token_fields"
  show_token
  exit
fi

# As a service: the whole quickstart.
step '1. Create an identity'
gateway createIdentity CreateIdentityInput '{}' "$identity" once
id=$(printf '%s\n' "$answer" | field id)
show "$id"
with_id="\"identityId\":$(json_string "$id")"

step '2. Issue a token (chat, voip)'
gateway issueToken IssueTokenInput "{$with_id,\"scopes\":$scopes}" "$access_token_fields"
show_token

step '3. Issue it once more: it comes from the cache'
gateway issueToken IssueTokenInput "{$with_id,\"scopes\":$scopes}" "$access_token_fields"
show_token

step '4. Create an identity and a token in one call (60 minutes)'
gateway createIdentity CreateIdentityInput "{\"scopes\":$scopes,\"expiresInMinutes\":60}" \
  "$identity $access_token_fields" once
second_id=$(printf '%s\n' "$answer" | field id)
show "$second_id"
show_token

step '5. Refresh: a new token although the cached one is good'
gateway issueToken IssueTokenInput "{$with_id,\"scopes\":$scopes,\"forceRefresh\":true}" "$access_token_fields"
show_token

step '6. Revoke all tokens'
gateway revokeTokens RevokeTokensInput "{$with_id}" effectiveBy
show "The gateway serves none of them any more; Azure refuses them by $(printf '%s\n' "$answer" | field effectiveBy)"

step '7. Delete the identities'
for each in "$id" "$second_id"; do
  gateway deleteIdentity DeleteIdentityInput "{\"identityId\":$(json_string "$each")}" deletedId
  show_field deletedId ' is deleted'
done

step "8. Exchange a Teams user's token"
if [ -n "${TEAMS_USER_TOKEN:-}" ] && [ -n "${TEAMS_CLIENT_ID:-}" ] && [ -n "${TEAMS_USER_ID:-}" ]; then
  teams="\"teamsUserAadToken\":$(json_string "$TEAMS_USER_TOKEN")"
  teams="$teams,\"clientId\":$(json_string "$TEAMS_CLIENT_ID")"
  teams="$teams,\"userObjectId\":$(json_string "$TEAMS_USER_ID")"
  gateway exchangeTeamsToken ExchangeTeamsTokenInput "{$teams}" "$access_token_fields"
  show_token
else
  show 'Left out: TEAMS_USER_TOKEN, TEAMS_CLIENT_ID and TEAMS_USER_ID are not set'
fi
