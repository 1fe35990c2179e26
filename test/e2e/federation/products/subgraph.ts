/** Serves the compatibility suite's product schema as the gateway serves its own: same machinery, same HTTP server. */
import { ApolloServer } from "@apollo/server";
import { ApolloServerPluginInlineTrace } from "@apollo/server/plugin/inlineTrace";
import { DirectiveLocation, GraphQLDirective } from "graphql";
import { buildGatewaySchema } from "../../../../src/schema/build-schema";
import { HttpServer } from "../../../../src/server/http-server";
import { Subscriptions } from "../../../../src/server/subscriptions";
import { httpOptions } from "../../../support/http-options";
import { recordEvents } from "../../../support/recorded-events";
import { entities, ProductResolver, UserResolver } from "./resolvers";
import { Inventory } from "./types";

/** The suite knows the specification up to 2.3, and fails subgraphs that link a newer one, as the gateway's own does. */
const link = `extend schema
  @link(
    url: "https://specs.apollo.dev/federation/v2.3"
    import: ["@composeDirective", "@extends", "@external", "@inaccessible", "@interfaceObject", "@key", "@override", "@provides", "@requires", "@shareable", "@tag"]
  )
  @link(url: "https://myspecs.dev/myCustomDirective/v1.0", import: ["@custom"])
  @composeDirective(name: "@custom")`;

const custom = new GraphQLDirective({ name: "custom", locations: [DirectiveLocation.OBJECT] });

/** Starts it on a free loopback port. */
export async function startProducts(): Promise<{ readonly url: string } & AsyncDisposable> {
  const { schema } = await buildGatewaySchema(
    [new ProductResolver(), new UserResolver()],
    () => true,
    entities,
    { link, directives: [custom], unreachable: [Inventory] },
  );
  const apollo = new ApolloServer({
    schema,
    // For the suite's test of federated traces: the gateway itself answers without them.
    plugins: [ApolloServerPluginInlineTrace()],
    stopOnTerminationSignals: false,
  });
  await apollo.start();
  const http = new HttpServer(httpOptions, {
    apollo,
    subscriptions: new Subscriptions((formatted) => formatted, 1),
    events: recordEvents(),
    context: () => Promise.resolve({}),
    health: { ready: () => Promise.resolve({ status: "ready", parts: {} }) },
    onError: () => "unknown",
  });
  const { url } = await http.start();
  return {
    url: `${url}/graphql`,
    [Symbol.asyncDispose]: async () => {
      await http.close();
      await apollo.stop();
    },
  };
}
