/** @apollo/gateway as a process: composes the subgraphs given as JSON (`[{ name, url, sdl }]`) and tells its parent its URL. */
import { composeServices } from "@apollo/composition";
import { ApolloGateway, RemoteGraphQLDataSource } from "@apollo/gateway";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { parse } from "graphql";

/** Subgraphs see who asks. */
class Forwarding extends RemoteGraphQLDataSource {
  willSendRequest({ request, context: { authorization } }) {
    if (authorization) request.http.headers.set("authorization", authorization);
  }
}

const subgraphs = JSON.parse(process.argv[2]).map(({ sdl, ...rest }) => ({ ...rest, typeDefs: parse(sdl) }));
const { supergraphSdl, errors, hints } = composeServices(subgraphs);
if (errors) throw new Error(errors.map(String).join("\n"));
const gateway = new ApolloGateway({ supergraphSdl, buildService: ({ url }) => new Forwarding({ url }) });
const server = new ApolloServer({ gateway });
const { url } = await startStandaloneServer(server, {
  listen: { host: "127.0.0.1", port: 0 },
  context: ({ req }) => Promise.resolve({ authorization: req.headers.authorization }),
});
process.send({ url, hints: hints.map(String) });
