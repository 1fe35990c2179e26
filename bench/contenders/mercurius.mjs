/** Mercurius on Fastify, its queries compiled from their second use on (graphql-jit), with the gateway's resolvers. */
import { announce } from "./shared/listen.mjs";
import { gatewayParts, require } from "./shared/gateway-parts.mjs";

const { fastify } = require("fastify");
const mercurius = require("mercurius");

const { schema, contextFor } = await gatewayParts();
const app = fastify({ logger: false });
await app.register(mercurius, {
  schema,
  jit: 1,
  cache: true,
  graphiql: false,
  context: (request) => contextFor(request.headers.authorization),
});
const url = await app.listen({ port: 0, host: "127.0.0.1" });
announce(`${url}/graphql`);
