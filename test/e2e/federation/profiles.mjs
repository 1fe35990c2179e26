/** A subgraph that refers to identities of the gateway: the profiles of an app's users, whose ids are given as JSON. */
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { parse } from "graphql";

const identityIds = JSON.parse(process.argv[2]);
const profiles = identityIds.map((id, index) => ({
  id: String(index),
  name: `user ${index}`,
  identity: { __typename: "Identity", id },
}));
const typeDefs = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  type Query {
    profiles: [Profile!]!
    profile(id: ID!): Profile
  }
  type Profile @key(fields: "id") {
    id: ID!
    name: String!
    identity: Identity
  }
  type Identity @key(fields: "id") {
    id: ID!
    profile: Profile
  }
`);
const resolvers = {
  Query: { profiles: () => profiles, profile: (_, { id }) => profiles[Number(id)] },
  Profile: { __resolveReference: ({ id }) => profiles[Number(id)] },
  Identity: { profile: ({ id }) => profiles.find(({ identity }) => identity.id === id) },
};
const server = new ApolloServer({ schema: buildSubgraphSchema([{ typeDefs, resolvers }]) });
const { url } = await startStandaloneServer(server, { listen: { host: "127.0.0.1", port: 0 } });
process.send(url);
