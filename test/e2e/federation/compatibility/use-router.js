/** Runs before each file of the suite: gives it the router at ROUTER_URL, where it has a fixed address of its own. */
/* eslint-disable no-undef, @typescript-eslint/no-require-imports */
const client = require("@apollo/federation-subgraph-compatibility-tests/dist/utils/client");

client.ROUTER_URL = process.env.ROUTER_URL;
