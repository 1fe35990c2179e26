/* The ACS access token quickstart through the gateway, in Java 11 or newer with nothing but the JDK. */

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs every step, printing what came of each. */
public final class Quickstart {
    private static final List<String> SCOPES = List.of("CHAT", "VOIP");

    public static void main(String[] args) throws InterruptedException {
        try {
            run();
        } catch (GatewayException failure) {
            System.err.println(failure.getMessage());
            System.exit(1);
        }
    }

    private static void run() throws InterruptedException {
        String url = environment("GATEWAY_URL", "http://127.0.0.1:4000/graphql");
        String apiKey = environment("API_KEY", "");
        String accessToken = environment("ACCESS_TOKEN", "");
        if (!isUrl(url)) {
            throw new GatewayException("GATEWAY_URL is not a URL: " + url);
        }
        // Printable ASCII, as a header can hold it.
        if (!(apiKey.isEmpty() ? accessToken : apiKey).matches("[!-~]+")) {
            throw new GatewayException("Set API_KEY to the key that npm start has printed, "
                + "or ACCESS_TOKEN to the access token of a user.");
        }
        System.out.println("ACS access tokens through the gateway at " + url);
        if (apiKey.isEmpty()) {
            runAsUser(new GatewayClient(URI.create(url), "authorization", "Bearer " + accessToken));
        } else {
            runAsService(new GatewayClient(URI.create(url), "x-api-key", apiKey));
        }
    }

    /** The whole quickstart. */
    private static void runAsService(GatewayClient gateway) throws InterruptedException {
        step("1. Create an identity");
        String identityId = idOf(gateway.createIdentity(Map.of()));
        show(identityId);

        step("2. Issue a token (chat, voip)");
        Map<String, Object> input = Map.of("identityId", identityId, "scopes", SCOPES);
        showToken(gateway.issueToken(input));

        step("3. Issue it once more: it comes from the cache");
        showToken(gateway.issueToken(input));

        step("4. Create an identity and a token in one call (60 minutes)");
        Map<String, Object> both = gateway.createIdentity(Map.of("scopes", SCOPES, "expiresInMinutes", 60));
        show(idOf(both));
        showToken(both);

        step("5. Refresh: a new token although the cached one is good");
        showToken(gateway.issueToken(
            Map.of("identityId", identityId, "scopes", SCOPES, "forceRefresh", true)));

        step("6. Revoke all tokens");
        show("The gateway serves none of them any more; Azure refuses them by "
            + gateway.revokeTokens(identityId).get("effectiveBy"));

        step("7. Delete the identities");
        for (String id : List.of(identityId, idOf(both))) {
            show(gateway.deleteIdentity(id).get("deletedId") + " is deleted");
        }

        step("8. Exchange a Teams user's token");
        String token = environment("TEAMS_USER_TOKEN", "");
        String clientId = environment("TEAMS_CLIENT_ID", "");
        String userId = environment("TEAMS_USER_ID", "");
        if (token.isEmpty() || clientId.isEmpty() || userId.isEmpty()) {
            show("Left out: TEAMS_USER_TOKEN, TEAMS_CLIENT_ID and TEAMS_USER_ID are not set");
        } else {
            showToken(gateway.exchangeTeamsToken(
                Map.of("teamsUserAadToken", token, "clientId", clientId, "userObjectId", userId)));
        }
    }

    /** A user's identity is made on first use and stays his, so he names none. */
    private static void runAsUser(GatewayClient gateway) throws InterruptedException {
        step("1. Issue a token for your own identity (chat, voip)");
        Map<String, Object> issued = gateway.issueToken(Map.of("scopes", SCOPES));
        show(idOf(issued));
        showToken(issued);

        step("2. Issue it once more: it comes from the cache");
        showToken(gateway.issueToken(Map.of("scopes", SCOPES)));
    }

    private static void step(String title) {
        System.out.println();
        System.out.println(title);
    }

    private static void show(String line) {
        System.out.println("   " + line);
    }

    private static String idOf(Map<String, Object> payload) {
        return (String) Json.object(payload.get("identity")).get("id");
    }

    /** Never the whole token: whoever has it chats and calls as this identity. */
    private static void showToken(Map<String, Object> payload) {
        Map<String, Object> accessToken = Json.object(payload.get("accessToken"));
        String token = (String) accessToken.get("token");
        show(token.substring(0, 8) + "... " + accessToken.get("source")
            + ", expires on " + accessToken.get("expiresOn"));
    }

    private static boolean isUrl(String text) {
        try {
            URI uri = URI.create(text);
            return text.matches("https?://.*") && uri.getHost() != null && uri.getPort() < 65_536;
        } catch (IllegalArgumentException notAUrl) {
            return false;
        }
    }

    private static String environment(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }
}

/**
 * The gateway's operations, each answering with its payload as a map. Copy this class, {@link GatewayException} and
 * {@link Json} (or let the JSON library that you have do its work) into your own backend. Safe for many threads.
 */
final class GatewayClient {
    /** Longer than the 30 seconds after which the gateway itself gives up. */
    private static final Duration TIMEOUT = Duration.ofSeconds(35);
    /** How often an operation is sent at most, and the longest wait in between. */
    private static final int ATTEMPTS = 3;
    private static final long LONGEST_WAIT_SECONDS = 30;

    private final URI url;
    private final String header;
    private final String credential;
    /** Follows no redirects, which is the default: the credential goes to this address and to no other. */
    private final HttpClient http = HttpClient.newBuilder().connectTimeout(TIMEOUT).build();

    /** The header is {@code x-api-key} for a service, {@code authorization} with "Bearer ..." for a user. */
    GatewayClient(URI url, String header, String credential) {
        this.url = url;
        this.header = header;
        this.credential = credential;
    }

    /** Input: empty, or scopes and expiresInMinutes for a token in the same call. Never repeated: see send. */
    Map<String, Object> createIdentity(Map<String, Object> input) throws InterruptedException {
        return send("createIdentity", "mutation ($input: CreateIdentityInput!) { createIdentity(input: $input) {"
            + " identity { id } accessToken { token expiresOn source } } }", input, false);
    }

    /** Input: identityId, scopes, expiresInMinutes, forceRefresh. A user leaves identityId out. */
    Map<String, Object> issueToken(Map<String, Object> input) throws InterruptedException {
        return send("issueToken", "mutation ($input: IssueTokenInput!) { issueToken(input: $input) {"
            + " identity { id } accessToken { token expiresOn source } } }", input, true);
    }

    Map<String, Object> revokeTokens(String identityId) throws InterruptedException {
        return send("revokeTokens", "mutation ($input: RevokeTokensInput!) { revokeTokens(input: $input) {"
            + " effectiveBy } }", Map.of("identityId", identityId), true);
    }

    Map<String, Object> deleteIdentity(String identityId) throws InterruptedException {
        return send("deleteIdentity", "mutation ($input: DeleteIdentityInput!) { deleteIdentity(input: $input) {"
            + " deletedId } }", Map.of("identityId", identityId), true);
    }

    /** Input: teamsUserAadToken, clientId, userObjectId. */
    Map<String, Object> exchangeTeamsToken(Map<String, Object> input) throws InterruptedException {
        return send("exchangeTeamsToken", "mutation ($input: ExchangeTeamsTokenInput!) {"
            + " exchangeTeamsToken(input: $input) { accessToken { token expiresOn source } } }", input, true);
    }

    /**
     * The operation's payload. The caller's values go into the variables, never into the query's text. An operation
     * that is repeatable (done twice it does no harm) is sent again when the gateway says that waiting helps. Creating
     * an identity is not: its answer may be lost after the identity was made.
     */
    private Map<String, Object> send(
        String operation, String query, Map<String, Object> input, boolean repeatable) throws InterruptedException {
        String body = Json.write(Map.of("query", query, "variables", Map.of("input", input)));
        for (int attempt = 1; ; attempt++) {
            Map<String, Object> answer = post(body);
            if (!hasErrors(answer)) {
                return Json.object(Json.object(answer.get("data")).get(operation));
            }
            List<?> errors = (List<?>) answer.get("errors");
            GatewayException error = GatewayException.of(Json.object(errors.get(0)));
            boolean waitingHelps = "RATE_LIMITED".equals(error.code()) || "UPSTREAM_UNAVAILABLE".equals(error.code());
            long seconds = error.retryAfterSeconds(1L << (attempt - 1));
            if (!waitingHelps || !repeatable || attempt == ATTEMPTS || seconds > LONGEST_WAIT_SECONDS) {
                throw error;
            }
            Thread.sleep(seconds * 1000);
        }
    }

    /** One request. An answer with errors has a status such as 401 or 429, and is GraphQL all the same. */
    private Map<String, Object> post(String body) throws InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(url)
            .timeout(TIMEOUT)
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json, application/json;q=0.9")
            .header(header, credential)
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
        HttpResponse<String> response;
        try {
            response = http.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (HttpTimeoutException timeout) {
            throw new GatewayException("The gateway at " + url + " does not answer in time.", timeout);
        } catch (IOException failure) {
            throw new GatewayException("No gateway answers at " + url + ". Start one with: npm start", failure);
        }
        try {
            Map<String, Object> answer = Json.object(Json.read(response.body()));
            if (answer.get("data") instanceof Map || hasErrors(answer)) {
                return answer;
            }
        } catch (IllegalArgumentException notJson) {
            // An error page of a proxy, or another server.
        }
        throw new GatewayException("What answers at " + url + " is not the gateway (HTTP " + response.statusCode()
            + "). Is this its GraphQL endpoint?");
    }

    private static boolean hasErrors(Map<String, Object> answer) {
        return answer.get("errors") instanceof List && !((List<?>) answer.get("errors")).isEmpty();
    }
}

/** The gateway did not do what it was asked. The code is stable: decide by it, never by the message. */
final class GatewayException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** What to do about an error, by its {@code extensions.code}. All codes: README.md, "Errors". */
    private static final Map<String, String> ADVICE = Map.of(
        "BAD_USER_INPUT", "Correct the argument; sending the same again never helps.",
        "UNAUTHENTICATED", "Send a valid credential: npm start prints the key, set API_KEY to it.",
        "FORBIDDEN", "This caller has not the right; docs/access.md tells who may do what.",
        "IDENTITY_NOT_FOUND", "Create an identity and use its id.",
        "RATE_LIMITED", "A limit is reached; try again later.",
        "UPSTREAM_REJECTED", "Azure refuses the gateway itself; its operator must act.",
        "UPSTREAM_UNAVAILABLE", "Azure does not answer; try again later.",
        "INTERNAL_SERVER_ERROR", "Tell the gateway's operator the errorId; the log has the cause under it.");

    private final String code;
    private final Number retryAfterSeconds;

    GatewayException(String message) {
        this(message, null);
    }

    GatewayException(String message, Throwable cause) {
        this(message, cause, null, null);
    }

    private GatewayException(String message, Throwable cause, String code, Number retryAfterSeconds) {
        super(message, cause);
        this.code = code;
        this.retryAfterSeconds = retryAfterSeconds;
    }

    /** The error that the gateway answered with, and what to do about it. */
    static GatewayException of(Map<String, Object> error) {
        Map<String, Object> extensions = Json.object(error.getOrDefault("extensions", Map.of()));
        String code = (String) extensions.getOrDefault("code", "an error");
        Number seconds = (Number) extensions.get("retryAfterSeconds");
        StringBuilder text = new StringBuilder("The gateway answers " + code + ": " + error.get("message"));
        if (extensions.containsKey("argument")) {
            text.append(" (argument: ").append(extensions.get("argument")).append(")");
        }
        if (extensions.containsKey("errorId")) {
            text.append(" (errorId: ").append(extensions.get("errorId")).append(")");
        }
        if (seconds != null) {
            text.append(" (wait ").append(seconds.longValue()).append(" s)");
        }
        text.append(" ").append(ADVICE.getOrDefault(code, "README.md, \"Errors\", tells what to do."));
        return new GatewayException(text.toString(), null, code, seconds);
    }

    /** The {@code extensions.code}; null when no gateway has answered. */
    String code() {
        return code;
    }

    long retryAfterSeconds(long otherwise) {
        return retryAfterSeconds == null ? otherwise : retryAfterSeconds.longValue();
    }
}

/**
 * JSON (RFC 8259), since the JDK has none: objects are maps, arrays lists, numbers {@link Double}, beside
 * {@link String}, {@link Boolean} and null.
 */
final class Json {
    /** Deeper than any answer of the gateway; an endless nesting must not end the stack. */
    private static final int DEEPEST = 100;

    /** What {@link #peek} answers after the last character: no value begins or ends with it. */
    private static final char END = '\0';

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    /** Throws {@link IllegalArgumentException} for what is no JSON. */
    static Object read(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.peek();
        if (json.at < text.length()) {
            throw json.unexpected();
        }
        return value;
    }

    /** The value as an object. Throws {@link IllegalArgumentException} when it is something else. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        if (value instanceof Map) {
            return (Map<String, Object>) value;
        }
        throw new IllegalArgumentException("Not a JSON object");
    }

    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof Map) {
            String separator = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(separator);
                write(String.valueOf(entry.getKey()), out);
                out.append(':');
                write(entry.getValue(), out);
                separator = ",";
            }
            out.append(separator.equals("{") ? "{}" : "}");
        } else if (value instanceof Iterable) {
            String separator = "[";
            for (Object item : (Iterable<?>) value) {
                out.append(separator);
                write(item, out);
                separator = ",";
            }
            out.append(separator.equals("[") ? "[]" : "]");
        } else if (value instanceof CharSequence) {
            out.append('"');
            ((CharSequence) value).chars().forEach(c -> {
                if (c == '"' || c == '\\') {
                    out.append('\\').append((char) c);
                } else if (c < ' ') {
                    out.append(String.format("\\u%04x", c));
                } else {
                    out.append((char) c);
                }
            });
            out.append('"');
        } else {
            out.append(value); // a number, a boolean or null
        }
    }

    /** The next character that is no white space, not taken. */
    private char peek() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        return at < text.length() ? text.charAt(at) : END;
    }

    private boolean take(char expected) {
        if (peek() != expected) {
            return false;
        }
        at++;
        return true;
    }

    private void expect(char expected) {
        if (!take(expected)) {
            throw unexpected();
        }
    }

    private IllegalArgumentException unexpected() {
        return new IllegalArgumentException("Not JSON at character " + at);
    }

    private Object value() {
        switch (peek()) {
            case '{':
                return objectValue();
            case '[':
                return arrayValue();
            case '"':
                return stringValue();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return numberValue();
        }
    }

    private Map<String, Object> objectValue() {
        Map<String, Object> members = new LinkedHashMap<>();
        enter('{');
        if (!take('}')) {
            do {
                peek();
                String name = stringValue();
                expect(':');
                members.put(name, value());
            } while (take(','));
            expect('}');
        }
        depth--;
        return members;
    }

    private List<Object> arrayValue() {
        List<Object> items = new ArrayList<>();
        enter('[');
        if (!take(']')) {
            do {
                items.add(value());
            } while (take(','));
            expect(']');
        }
        depth--;
        return items;
    }

    private void enter(char bracket) {
        expect(bracket);
        if (++depth > DEEPEST) {
            throw unexpected();
        }
    }

    private String stringValue() {
        expect('"');
        StringBuilder string = new StringBuilder();
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == '"') {
                return string.toString();
            }
            if (c < ' ') {
                break;
            }
            string.append(c == '\\' ? escaped() : c);
        }
        throw unexpected();
    }

    private char escaped() {
        char c = at < text.length() ? text.charAt(at++) : END;
        if (c == 'u' && at + 4 <= text.length() && text.substring(at, at + 4).matches("[0-9a-fA-F]{4}")) {
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 4, at), 16);
        }
        int index = "\"\\/bfnrt".indexOf(c);
        if (index < 0) {
            throw unexpected();
        }
        return "\"\\/\b\f\n\r\t".charAt(index);
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw unexpected();
        }
        at += word.length();
        return value;
    }

    private Double numberValue() {
        int start = at;
        while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String number = text.substring(start, at);
        if (!number.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")) {
            throw unexpected();
        }
        return Double.valueOf(number);
    }
}
