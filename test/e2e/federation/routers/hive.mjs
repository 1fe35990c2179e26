/** Hive Gateway as a process: composes the subgraphs given as JSON (`[{ name, url, sdl }]`) and tells its parent its URL. */
import { createServer } from "node:http";
import { createGatewayRuntime } from "@graphql-hive/gateway-runtime";
import { composeServices } from "@theguild/federation-composition";
import { parse } from "graphql";

const subgraphs = JSON.parse(process.argv[2]).map(({ sdl, ...rest }) => ({ ...rest, typeDefs: parse(sdl) }));
const { supergraphSdl, errors } = composeServices(subgraphs);
if (errors) throw new Error(errors.map(String).join("\n"));
const runtime = createGatewayRuntime({
  supergraph: supergraphSdl,
  logging: false,
  propagateHeaders: {
    fromClientToSubgraphs: ({ request }) => ({ authorization: request.headers.get("authorization") }),
  },
  // Server-sent events, which the gateway sends in answer to POST.
  transportEntries: { "*": { options: { subscriptions: { kind: "http", options: { method: "POST" } } } } },
});
const server = createServer(runtime);
server.listen(0, "127.0.0.1", () =>
  process.send({ url: `http://127.0.0.1:${server.address().port}/graphql`, hints: [] }),
);
