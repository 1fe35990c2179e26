/** Apollo Server 5 standalone, as its own documentation starts it, with the gateway's resolvers. */
import { announce } from "./shared/listen.mjs";
import { gatewayParts, require } from "./shared/gateway-parts.mjs";

const { ApolloServer } = require("@apollo/server");
const { startStandaloneServer } = require("@apollo/server/standalone");
const { ApolloServerPluginLandingPageDisabled } = require("@apollo/server/plugin/disabled");

const { schema, contextFor } = await gatewayParts();
const server = new ApolloServer({
  schema,
  introspection: false,
  includeStacktraceInErrorResponses: false,
  plugins: [ApolloServerPluginLandingPageDisabled()],
});
const { url } = await startStandaloneServer(server, {
  listen: { port: 0, host: "127.0.0.1" },
  context: ({ req }) => contextFor(req.headers.authorization),
});
announce(new URL("/graphql", url).href);
