/** Two gateways on the same Redis and emulator: one compiles operations, with the other Apollo Server answers everything. */
import { Agent, request } from "node:http";
import { ClosingList } from "../../../src/closing-list";
import { audience, startIssuer, type Issuer } from "../../support/issuer";
import { developmentKey, startWorld, type World } from "../../support/world";

/** What a client sends to /graphql. A body that is no text is sent as JSON. */
export interface Sent {
  readonly name: string;
  readonly body: string | Buffer | object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer to the last byte, but for the time in `date`. */
export interface Received {
  readonly status: number | undefined;
  readonly headers: readonly string[];
  readonly text: string;
}

export interface TwoWays extends AsyncDisposable {
  readonly world: World;
  readonly issuer: Issuer;
  /** Headers of somebody with the development key, who may do everything. */
  readonly service: Readonly<Record<string, string>>;
  /** The same request to the gateway that compiles. */
  compiled(sent: Sent): Promise<Received>;
  /** The same request to the one that does not. */
  plain(sent: Sent): Promise<Received>;
}

export async function startTwoWays(environment: Readonly<Record<string, string>> = {}): Promise<TwoWays> {
  const issuer = await startIssuer(() => 1_800_000_000_000);
  const parts = new ClosingList();
  parts.add(issuer);
  const common = {
    OIDC_ISSUERS: `${issuer.url} audience=${audience} jwks=${issuer.jwksUrl} identity-claim=acs`,
    ...environment,
  };
  const world = parts.add(await startWorld({ redis: true, environment: common }));
  const other = parts.add(
    await startWorld({
      environment: {
        ...common,
        REDIS_URL: world.redis!.url,
        TOKEN_ENCRYPTION_KEYS: `first:${Buffer.alloc(32, 1).toString("base64")}`,
        ACS_CONNECTION_STRING: world.emulator.connectionString,
      },
      parts: { compile: false },
    }),
  );
  const agent = new Agent({ keepAlive: true });
  const to = (url: string) => (sent: Sent) => send(agent, url, sent);
  return {
    world,
    issuer,
    service: { "x-api-key": developmentKey },
    compiled: to(world.client.url),
    plain: to(other.client.url),
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      await parts[Symbol.asyncDispose]();
    },
  };
}

function send(agent: Agent, url: string, { body, headers = {} }: Sent): Promise<Received> {
  const bytes =
    typeof body === "string" || Buffer.isBuffer(body) ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const sending = request(
      url,
      {
        method: "POST",
        agent,
        headers: {
          "content-type": "application/json",
          "content-length": bytes.length,
          "x-request-id": "the-same",
          ...headers,
        },
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        response.on("end", () => {
          const all = response.rawHeaders.flatMap((name, index, list) =>
            index % 2 === 0 ? [`${name}: ${list[index + 1] ?? ""}`] : [],
          );
          const kept = all.filter((line) => !line.startsWith("Date: "));
          resolve({ status: response.statusCode, headers: kept, text });
        });
        response.on("error", reject);
      },
    );
    sending.on("error", reject).end(bytes);
  });
}
