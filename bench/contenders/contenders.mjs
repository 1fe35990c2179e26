/** Who is measured, and how each is started. */
import { fileURLToPath } from "node:url";
import { startChild } from "../lib/children.mjs";
import { startGateway } from "../lib/gateway.mjs";
import { Worker } from "../lib/worker.mjs";

const fileOf = (name) => fileURLToPath(new URL(`${name}.mjs`, import.meta.url));

const ofFile = (name, more) => async (world) => {
  const env = { ...world.environment, TOKEN_FIELD: world.field, ...more };
  const child = startChild("server", process.execPath, [fileOf(name)], { env });
  const [line] = await child.prints(/^\{"url":.*\}$/m);
  return { url: JSON.parse(line).url, pid: child.pid, end: () => child.end() };
};

/** Starts the process that calls the SDK itself. It is no server, and works where the servers do. */
export function startSdk({ environment }) {
  return Worker.start("server", fileOf("sdk"), environment);
}

/** Those that do the very same work and give the very same answer. The first is what the others are compared with. */
export const contenders = [
  { name: "floor", title: "Floor: node:http + ioredis + node:crypto", start: ofFile("floor") },
  { name: "gateway", title: "**This gateway**", start: (world) => startGateway(world.environment) },
  { name: "mercurius", title: "Mercurius with JIT", start: ofFile("mercurius") },
  {
    name: "mercurius-batched",
    title: "The same with this gateway's way to read Redis",
    start: ofFile("mercurius", { BATCHED_READS: "1" }),
  },
  { name: "apollo", title: "Apollo Server 5 standalone", start: ofFile("apollo") },
  { name: "yoga", title: "GraphQL Yoga", start: ofFile("yoga") },
];

/** The least that a token costs which is issued once and cached. */
export const startColdFloor = ofFile("cold-floor");

/** Those that have no cache, and ask ACS each time. */
export const cacheless = [
  { name: "rest-0", title: "REST as everyone writes it (Express + SDK), ACS answers at once", latencyMs: 0 },
  { name: "rest-50", title: "The same, ACS takes 50 ms", latencyMs: 50 },
  { name: "sdk", title: "The SDK called directly, 64 at a time, ACS answers at once", latencyMs: 0 },
].map((each) => ({ ...each, start: each.name === "sdk" ? startSdk : ofFile("rest") }));
