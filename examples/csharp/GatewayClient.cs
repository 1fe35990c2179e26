// The gateway's operations, with nothing but HttpClient and System.Text.Json: copy this file into your own backend.
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AcsTokenGateway;

public sealed record Identity(string Id);

/// <param name="Token">Keep it secret: whoever has it chats and calls as the identity.</param>
/// <param name="ExpiresOn">When it expires.</param>
/// <param name="Source">ISSUED or CACHE.</param>
public sealed record AccessToken(string Token, DateTimeOffset ExpiresOn, string Source);

public sealed record CreatedIdentity(Identity Identity, AccessToken? AccessToken);

public sealed record IssuedToken(Identity Identity, AccessToken AccessToken);

public sealed record RevokedTokens(DateTimeOffset EffectiveBy);

public sealed record DeletedIdentity(string DeletedId);

public sealed record ExchangedToken(AccessToken AccessToken);

/// <summary>Sends operations to one gateway. Make one and keep it: it is safe for many threads.</summary>
/// <param name="url">The gateway's GraphQL endpoint.</param>
/// <param name="header">"x-api-key" for a service, "authorization" for a user.</param>
/// <param name="credential">The API key, or "Bearer " and the user's access token.</param>
public sealed class GatewayClient(Uri url, string header, string credential) : IDisposable
{
    /// <summary>How often an operation is sent at most.</summary>
    private const int Attempts = 3;

    /// <summary>The longest wait in between.</summary>
    private const int LongestWaitSeconds = 30;

    /// <summary>Property names in camel case; what is null is left out.</summary>
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    // No redirects: the credential goes to this address and to no other.
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false })
    {
        // Longer than the 30 seconds after which the gateway itself gives up.
        Timeout = TimeSpan.FromSeconds(35),
    };

    /// <summary>A new identity, with scopes also a token for it in the same call. Never sent twice: see SendAsync.</summary>
    public Task<CreatedIdentity> CreateIdentityAsync(
        IReadOnlyList<string>? scopes = null, int? expiresInMinutes = null, CancellationToken cancellationToken = default)
    {
        const string query = """
            mutation ($input: CreateIdentityInput!) {
              createIdentity(input: $input) { identity { id } accessToken { token expiresOn source } }
            }
            """;
        var input = new { scopes, expiresInMinutes };
        return SendAsync<CreatedIdentity>("createIdentity", query, input, repeatable: false, cancellationToken);
    }

    /// <summary>A token, from the cache if it has a good one. A user leaves the identity out.</summary>
    public Task<IssuedToken> IssueTokenAsync(
        IReadOnlyList<string> scopes,
        string? identityId = null,
        int? expiresInMinutes = null,
        bool forceRefresh = false,
        CancellationToken cancellationToken = default)
    {
        const string query = """
            mutation ($input: IssueTokenInput!) {
              issueToken(input: $input) { identity { id } accessToken { token expiresOn source } }
            }
            """;
        var input = new { identityId, scopes, expiresInMinutes, forceRefresh };
        return SendAsync<IssuedToken>("issueToken", query, input, repeatable: true, cancellationToken);
    }

    public Task<RevokedTokens> RevokeTokensAsync(string identityId, CancellationToken cancellationToken = default)
    {
        const string query = "mutation ($input: RevokeTokensInput!) { revokeTokens(input: $input) { effectiveBy } }";
        return SendAsync<RevokedTokens>(
            "revokeTokens", query, new { identityId }, repeatable: true, cancellationToken);
    }

    public Task<DeletedIdentity> DeleteIdentityAsync(string identityId, CancellationToken cancellationToken = default)
    {
        const string query = "mutation ($input: DeleteIdentityInput!) { deleteIdentity(input: $input) { deletedId } }";
        return SendAsync<DeletedIdentity>(
            "deleteIdentity", query, new { identityId }, repeatable: true, cancellationToken);
    }

    public Task<ExchangedToken> ExchangeTeamsTokenAsync(
        string teamsUserAadToken, string clientId, string userObjectId, CancellationToken cancellationToken = default)
    {
        const string query = """
            mutation ($input: ExchangeTeamsTokenInput!) {
              exchangeTeamsToken(input: $input) { accessToken { token expiresOn source } }
            }
            """;
        var input = new { teamsUserAadToken, clientId, userObjectId };
        return SendAsync<ExchangedToken>("exchangeTeamsToken", query, input, repeatable: true, cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    /// <summary>
    /// The operation's payload. The caller's values go into the variables, never into the query's text. An operation
    /// that is repeatable (done twice it does no harm) is sent again when the gateway says that waiting helps.
    /// Creating an identity is not: its answer may be lost after the identity was made.
    /// </summary>
    private async Task<TPayload> SendAsync<TPayload>(
        string operation, string query, object input, bool repeatable, CancellationToken cancellationToken)
    {
        var body = JsonSerializer.Serialize(new { query, variables = new { input } }, Json);
        for (var attempt = 1; ; attempt++)
        {
            var answer = await PostAsync(body, cancellationToken);
            if (answer.Errors is not { Length: > 0 })
            {
                return answer.Data!.Value.GetProperty(operation).Deserialize<TPayload>(Json)!;
            }

            var error = new GatewayException(answer.Errors[0]);
            var waitingHelps = error.Code is "RATE_LIMITED" or "UPSTREAM_UNAVAILABLE";
            var seconds = error.RetryAfterSeconds ?? (1 << (attempt - 1));
            if (!waitingHelps || !repeatable || attempt == Attempts || seconds > LongestWaitSeconds)
            {
                throw error;
            }

            await Task.Delay(TimeSpan.FromSeconds(seconds), cancellationToken);
        }
    }

    /// <summary>One request. An answer with errors has a status such as 401 or 429, and is GraphQL all the same.</summary>
    private async Task<Answer> PostAsync(string body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url);
        request.Headers.Add("accept", "application/graphql-response+json, application/json;q=0.9");
        request.Headers.Add(header, credential);
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        int status;
        string text;
        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            status = (int)response.StatusCode;
            text = await response.Content.ReadAsStringAsync(cancellationToken);
        }
        catch (TaskCanceledException timeout) when (timeout.InnerException is TimeoutException)
        {
            throw new GatewayException($"The gateway at {url} does not answer in time.", timeout);
        }
        catch (HttpRequestException failure)
        {
            throw new GatewayException($"No gateway answers at {url}. Start one with: npm start", failure);
        }

        try
        {
            var answer = JsonSerializer.Deserialize<Answer>(text, Json);
            if (answer is not null
                && (answer.Errors is { Length: > 0 } || answer.Data is { ValueKind: JsonValueKind.Object }))
            {
                return answer;
            }
        }
        catch (JsonException)
        {
            // An error page of a proxy, or another server.
        }

        throw new GatewayException(
            $"What answers at {url} is not the gateway (HTTP {status}). Is this its GraphQL endpoint?");
    }

    private sealed record Answer(JsonElement? Data, GraphQLError[]? Errors);
}

/// <summary>The gateway did not do what it was asked.</summary>
public sealed class GatewayException : Exception
{
    public GatewayException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    internal GatewayException(GraphQLError error)
        : base(Explain(error))
    {
        Code = error.Extensions?.Code;
        RetryAfterSeconds = error.Extensions?.RetryAfterSeconds;
    }

    /// <summary>Stable: decide by it, never by the message. Null when no gateway has answered.</summary>
    public string? Code { get; }

    /// <summary>How long to wait before trying again, if the gateway says so.</summary>
    public int? RetryAfterSeconds { get; }

    /// <summary>The error that the gateway answered with, and what to do about it.</summary>
    private static string Explain(GraphQLError error)
    {
        var extensions = error.Extensions;
        var text = new StringBuilder($"The gateway answers {extensions?.Code ?? "an error"}: {error.Message}");
        if (extensions?.Argument is { } argument)
        {
            text.Append($" (argument: {argument})");
        }

        if (extensions?.ErrorId is { } errorId)
        {
            text.Append($" (errorId: {errorId})");
        }

        if (extensions?.RetryAfterSeconds is { } seconds)
        {
            text.Append($" (wait {seconds} s)");
        }

        return text.Append(' ').Append(AdviceFor(extensions?.Code)).ToString();
    }

    /// <summary>What to do about an error, by its extensions.code. All codes: README.md, "Errors".</summary>
    private static string AdviceFor(string? code) => code switch
    {
        "BAD_USER_INPUT" => "Correct the argument; sending the same again never helps.",
        "UNAUTHENTICATED" => "Send a valid credential: npm start prints the key, set API_KEY to it.",
        "FORBIDDEN" => "This caller has not the right; docs/access.md tells who may do what.",
        "IDENTITY_NOT_FOUND" => "Create an identity and use its id.",
        "RATE_LIMITED" => "A limit is reached; try again later.",
        "UPSTREAM_REJECTED" => "Azure refuses the gateway itself; its operator must act.",
        "UPSTREAM_UNAVAILABLE" => "Azure does not answer; try again later.",
        "INTERNAL_SERVER_ERROR" => "Tell the gateway's operator the errorId; the log has the cause under it.",
        _ => "README.md, \"Errors\", tells what to do.",
    };
}

/// <summary>An error as GraphQL over HTTP carries it.</summary>
internal sealed record GraphQLError(string Message, GraphQLErrorExtensions? Extensions);

internal sealed record GraphQLErrorExtensions(string? Code, string? Argument, string? ErrorId, int? RetryAfterSeconds);
