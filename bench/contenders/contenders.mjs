/** Who is measured, and how each is started. */
import { fileURLToPath } from "node:url";
import { startChild } from "../lib/children.mjs";
import { startGateway } from "../lib/gateway.mjs";

const fileOf = (name) => fileURLToPath(new URL(`${name}.mjs`, import.meta.url));

const ofFile = (name) => async (world) => {
  const env = { ...world.environment, TOKEN_FIELD: world.field };
  const child = startChild("server", process.execPath, [fileOf(name)], { env });
  const [line] = await child.prints(/^\{"url":.*\}$/m);
  return { url: JSON.parse(line).url, pid: child.pid, end: () => child.end() };
};

/** Those that do the very same work and give the very same answer. The first is what the others are compared with. */
export const contenders = [
  { name: "floor", title: "Floor: node:http + ioredis + node:crypto", start: ofFile("floor") },
  { name: "gateway", title: "**This gateway**", start: (world) => startGateway(world.environment) },
  { name: "apollo", title: "Apollo Server 5 standalone", start: ofFile("apollo") },
  { name: "mercurius", title: "Mercurius with JIT", start: ofFile("mercurius") },
  { name: "yoga", title: "GraphQL Yoga", start: ofFile("yoga") },
];
