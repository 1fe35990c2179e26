/** The directory on a PostgreSQL server, and what it does when that is away. */
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { IdentityDirectory } from "../../../src/services/identities/directory/identity-directory";
import { PostgresDatabase } from "../../../src/services/identities/directory/postgres-database";
import { startPostgres, type PostgresServer } from "../../support/postgres-server";
import { recordEvents } from "../../support/recorded-events";
import { startTcpProxy } from "../../support/tcp-proxy";
import { until } from "../../support/until";
import { describeDirectory } from "./directory.suite";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, 30_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const open = (url: string, timeoutMs = 2_000) =>
  new PostgresDatabase({ url, timeoutMs, maxConnections: 5 }, () => undefined);
const owner = { issuer: "https://issuer.example", subject: "someone", device: "" };

describeDirectory("PostgreSQL", async () => {
  const { url } = await server.makeDatabase();
  const opened: PostgresDatabase[] = [];
  return {
    open: () => {
      const database = open(url);
      opened.push(database);
      return database;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
});

it("says within its time that it is unavailable when the server is silent or refuses, and is back by itself", async () => {
  const { url } = await server.makeDatabase();
  await using proxy = await startTcpProxy(server.port);
  const events = recordEvents();
  const proxied = url.replace(`:${server.port}/`, `:${proxy.port}/`);
  await using directory = new IdentityDirectory(open(proxied, 200), events);
  await directory.open();
  expect(await directory.find(owner)).toBeUndefined();
  proxy.swallowing = true;
  const began = performance.now();
  await expect(directory.find(owner)).rejects.toMatchObject({ code: "DIRECTORY_UNAVAILABLE" });
  expect(performance.now() - began).toBeLessThan(2_000);
  proxy.swallowing = false;
  proxy.refusing = true;
  proxy.resetAll();
  await expect(directory.find(owner)).rejects.toMatchObject({ code: "DIRECTORY_UNAVAILABLE" });
  proxy.refusing = false;
  await until(() =>
    directory.find(owner).then(
      () => true,
      () => false,
    ),
  );
  expect(events.lines.join("")).toContain("the directory of users' identities is unavailable");
});
