/** The network that tests disturb does what it says, and nothing that TCP rules out. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy";
import { until } from "../../support/until";

/** A server that answers with what it is told. */
const server = createServer((socket) => socket.on("error", () => undefined).pipe(socket));
let proxy: TcpProxy;
let clients: Socket[];
beforeEach(async () => {
  clients = [];
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await startTcpProxy((server.address() as AddressInfo).port);
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await proxy[Symbol.asyncDispose]();
  server.close();
  await once(server, "close");
});

async function open() {
  const socket = connect(proxy.port, "127.0.0.1").setNoDelay(true);
  clients.push(socket);
  const client = { socket, heard: "", error: undefined as string | undefined };
  socket.on("data", (data) => (client.heard += data.toString()));
  socket.on("error", ({ code }: NodeJS.ErrnoException) => (client.error = code));
  await once(socket, "connect");
  return client;
}

/** Whatever was sent before on this proxy has been dealt with: another connection has been answered meanwhile. */
async function roundTrip() {
  const other = await open();
  other.socket.write("!");
  await until(() => other.heard === "!");
}

it("makes each way take as long as it is told", async () => {
  const client = await open();
  proxy.latencyMs = 100;
  const sentAt = performance.now();
  client.socket.write("late");
  await until(() => client.heard === "late");
  expect(performance.now() - sentAt).toBeGreaterThanOrEqual(195);
});

it("keeps what is sent in its order when the latency falls", async () => {
  const client = await open();
  proxy.latencyMs = 300;
  client.socket.write("first ");
  // Long enough for the proxy to have it, and much shorter than the latency.
  await setTimeout(50);
  proxy.latencyMs = 0;
  client.socket.write("second");
  await until(() => client.heard.length === "first second".length);
  expect(client.heard).toBe("first second");
});

it("swallows, keeps the connection, and delivers nothing that came after a gap", async () => {
  const [torn, whole] = [await open(), await open()];
  torn.socket.write("before ");
  await until(() => torn.heard === "before ");
  proxy.swallowing = true;
  const swallowed = await open();
  torn.socket.write("lost ");
  swallowed.socket.write("lost ");
  await until(() => torn.socket.bytesWritten === 12 && torn.socket.writableLength === 0);
  const quiet = await open();
  quiet.socket.write("lost too");
  await setTimeout(50);
  proxy.swallowing = false;
  torn.socket.write("after");
  whole.socket.write("whole");
  await until(() => whole.heard === "whole");
  await roundTrip();
  expect([torn.heard, swallowed.heard, quiet.heard]).toEqual(["before ", "", ""]);
  expect([torn, swallowed, quiet].map(({ socket, error }) => [socket.destroyed, error])).toEqual([
    [false, undefined],
    [false, undefined],
    [false, undefined],
  ]);
});

it("resets what is connected, and refuses what is new", async () => {
  const client = await open();
  client.socket.write("made");
  await until(() => client.heard === "made");
  proxy.resetAll();
  await until(() => client.socket.destroyed);
  expect(client.error).toBe("ECONNRESET");
  proxy.refusing = true;
  const refused = connect(proxy.port, "127.0.0.1");
  const codes: (string | undefined)[] = [];
  clients.push(refused.on("error", ({ code }: NodeJS.ErrnoException) => codes.push(code)));
  await until(() => refused.destroyed);
  expect(codes).toEqual(["ECONNRESET"]);
  proxy.refusing = false;
  await roundTrip();
});
