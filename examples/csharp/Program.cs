// The ACS access token quickstart through the gateway: runs every step, printing what came of each.
using System.Globalization;
using AcsTokenGateway;

string[] scopes = ["CHAT", "VOIP"];

try
{
    await RunAsync();
    return 0;
}
catch (GatewayException failure)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}

async Task RunAsync()
{
    var address = Variable("GATEWAY_URL", "http://127.0.0.1:4000/graphql");
    var apiKey = Variable("API_KEY");
    var accessToken = Variable("ACCESS_TOKEN");
    if (!Uri.TryCreate(address, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
    {
        throw new GatewayException($"GATEWAY_URL is not a URL: {address}");
    }

    // Printable ASCII, as a header can hold it.
    var credential = apiKey.Length > 0 ? apiKey : accessToken;
    if (credential.Length == 0 || !credential.All(character => character is >= '!' and <= '~'))
    {
        throw new GatewayException(
            "Set API_KEY to the key that npm start has printed, or ACCESS_TOKEN to the access token of a user.");
    }

    Console.WriteLine($"ACS access tokens through the gateway at {url}");
    if (apiKey.Length > 0)
    {
        using var gateway = new GatewayClient(url, "x-api-key", apiKey);
        await RunAsServiceAsync(gateway);
    }
    else
    {
        using var gateway = new GatewayClient(url, "authorization", $"Bearer {accessToken}");
        await RunAsUserAsync(gateway);
    }
}

// The whole quickstart.
async Task RunAsServiceAsync(GatewayClient gateway)
{
    Step("1. Create an identity");
    var first = await gateway.CreateIdentityAsync();
    var identityId = first.Identity.Id;
    Show(identityId);

    Step("2. Issue a token (chat, voip)");
    var issued = await gateway.IssueTokenAsync(scopes, identityId);
    ShowToken(issued.AccessToken);

    Step("3. Issue it once more: it comes from the cache");
    var cached = await gateway.IssueTokenAsync(scopes, identityId);
    ShowToken(cached.AccessToken);

    Step("4. Create an identity and a token in one call (60 minutes)");
    var both = await gateway.CreateIdentityAsync(scopes, expiresInMinutes: 60);
    Show(both.Identity.Id);
    if (both.AccessToken is not null)
    {
        ShowToken(both.AccessToken);
    }

    Step("5. Refresh: a new token although the cached one is good");
    var refreshed = await gateway.IssueTokenAsync(scopes, identityId, forceRefresh: true);
    ShowToken(refreshed.AccessToken);

    Step("6. Revoke all tokens");
    var revoked = await gateway.RevokeTokensAsync(identityId);
    Show($"The gateway serves none of them any more; Azure refuses them by {Iso8601(revoked.EffectiveBy)}");

    Step("7. Delete the identities");
    foreach (var id in new[] { identityId, both.Identity.Id })
    {
        var deleted = await gateway.DeleteIdentityAsync(id);
        Show($"{deleted.DeletedId} is deleted");
    }

    Step("8. Exchange a Teams user's token");
    var teamsToken = Variable("TEAMS_USER_TOKEN");
    var clientId = Variable("TEAMS_CLIENT_ID");
    var userId = Variable("TEAMS_USER_ID");
    if (teamsToken.Length > 0 && clientId.Length > 0 && userId.Length > 0)
    {
        var exchanged = await gateway.ExchangeTeamsTokenAsync(teamsToken, clientId, userId);
        ShowToken(exchanged.AccessToken);
    }
    else
    {
        Show("Left out: TEAMS_USER_TOKEN, TEAMS_CLIENT_ID and TEAMS_USER_ID are not set");
    }
}

// A user's identity is made on first use and stays his, so he names none.
async Task RunAsUserAsync(GatewayClient gateway)
{
    Step("1. Issue a token for your own identity (chat, voip)");
    var issued = await gateway.IssueTokenAsync(scopes);
    Show(issued.Identity.Id);
    ShowToken(issued.AccessToken);

    Step("2. Issue it once more: it comes from the cache");
    var cached = await gateway.IssueTokenAsync(scopes);
    ShowToken(cached.AccessToken);
}

static void Step(string title) => Console.WriteLine($"{Environment.NewLine}{title}");

static void Show(string line) => Console.WriteLine($"   {line}");

// Never the whole token: whoever has it chats and calls as this identity.
static void ShowToken(AccessToken accessToken) =>
    Show($"{accessToken.Token[..8]}... {accessToken.Source}, expires on {Iso8601(accessToken.ExpiresOn)}");

static string Iso8601(DateTimeOffset time) =>
    time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

static string Variable(string name, string otherwise = "") =>
    Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : otherwise;
