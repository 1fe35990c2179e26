/** A REST server as everyone writes it: Express, and the SDK called for each request. */
import { createRequire } from "node:module";
import { bearerCheck, issuerFrom } from "./shared/bearer.mjs";
import { listen } from "./shared/listen.mjs";
import { createServer } from "node:http";

const require = createRequire(import.meta.url);
const express = require("express");
const { CommunicationIdentityClient } = require("@azure/communication-identity");

const issuer = issuerFrom(process.env);
const claimsOf = await bearerCheck(issuer);
const client = new CommunicationIdentityClient(process.env.ACS_CONNECTION_STRING);

const app = express();
app.use(express.json());
app.use((request, response, next) => {
  request.claims = claimsOf(request.headers.authorization);
  if (request.claims) next();
  else response.status(401).json({ error: "unauthorized" });
});
app.post("/token", async (request, response) => {
  const user = { communicationUserId: request.claims[issuer.identityClaim] };
  const { token, expiresOn } = await client.getToken(user, request.body.scopes);
  response.json({ token, expiresOn, id: user.communicationUserId });
});
await listen(createServer(app), "/token");
