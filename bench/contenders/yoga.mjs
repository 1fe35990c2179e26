/** GraphQL Yoga on node:http, with its caches of parsed and validated documents, and the gateway's resolvers. */
import { createServer } from "node:http";
import { listen } from "./shared/listen.mjs";
import { gatewayParts, require } from "./shared/gateway-parts.mjs";

const { createYoga } = require("graphql-yoga");

const { schema, contextFor } = await gatewayParts();
const yoga = createYoga({
  schema,
  logging: false,
  graphiql: false,
  landingPage: false,
  parserAndValidationCache: true,
  multipart: false,
  maskedErrors: true,
  context: ({ request }) => contextFor(request.headers.get("authorization") ?? undefined),
});
await listen(createServer(yoga), "/graphql");
