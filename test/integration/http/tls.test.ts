/** Proves that the server serves TLS, changes its certificate while it runs, and is harmed by nobody who does not speak it. */
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { makeCertificates, type Certificates } from "../../../emulator/tls";
import { StartupError } from "../../../src/startup-error";
import { until } from "../../support/until";
import { startWorld } from "../../support/world";
import { readToEnd, SmallWorld, type SmallWorldOptions } from "./http-world";

let first: Certificates;
let second: Certificates;
let directory: string;
let tls: { readonly certFile: string; readonly keyFile: string };

beforeAll(async () => {
  [first, second] = await Promise.all([makeCertificates("127.0.0.1"), makeCertificates("127.0.0.1")]);
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "acs-token-gateway-tls-"));
  tls = { certFile: join(directory, "tls.crt"), keyFile: join(directory, "tls.key") };
  await write(first.cert, first.key);
});

let world: SmallWorld | undefined;
afterEach(async () => {
  await world?.[Symbol.asyncDispose]();
  world = undefined;
  await rm(directory, { recursive: true });
});

async function write(cert: string | undefined, key: string | undefined): Promise<void> {
  for (const [file, text] of [
    [tls.certFile, cert],
    [tls.keyFile, key],
  ] as const) {
    if (text === undefined) {
      await rm(file, { force: true });
      continue;
    }
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  }
}

async function start(options: SmallWorldOptions = {}): Promise<SmallWorld> {
  return (world = await SmallWorld.start({ ...options, http: { tls, ...options.http } }));
}

/** Asks `{ hello }` on a connection of its own, trusting `ca` alone. */
function ask(ca: string, options: ConnectionOptions = {}) {
  return new Promise<{ status: number; hsts: unknown; body: string }>((resolve, reject) => {
    const url = `${world?.url ?? ""}/graphql?query=%7Bhello%7D`;
    request(url, { ca, agent: false, ...options }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, hsts: headers["strict-transport-security"], body });
      });
    })
      .on("error", reject)
      .end();
  });
}

/** The client's own library has to be talked into anything below 1.2. */
const only = (version: "TLSv1.1" | "TLSv1.2" | "TLSv1.3", ca: string) =>
  ask(ca, { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" });

const served = { status: 200, hsts: "max-age=31536000", body: expect.stringContaining('"world"') };
const told = (text: string): string[] => world?.events.lines.filter((line) => line.includes(text)) ?? [];

describe("a server with a certificate", () => {
  it("serves TLS, says so in its URL, and has browsers stay with it", async () => {
    const { url } = await start();
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(await ask(first.ca)).toEqual(served);
  });

  it("speaks TLS 1.2 and 1.3, and not 1.1", async () => {
    await start();
    expect(await only("TLSv1.2", first.ca)).toEqual(served);
    expect(await only("TLSv1.3", first.ca)).toEqual(served);
    await expect(only("TLSv1.1", first.ca)).rejects.toThrow(/alert protocol version/);
  });

  it("speaks TLS 1.2 with forward secrecy alone", async () => {
    await start();
    const with12 = (ciphers: string) => ask(first.ca, { maxVersion: "TLSv1.2", ciphers });
    expect(await with12("ECDHE-RSA-AES128-GCM-SHA256")).toEqual(served);
    for (const ciphers of ["AES128-GCM-SHA256", "AES256-SHA", "ECDHE-RSA-AES128-SHA"]) {
      await expect(with12(ciphers)).rejects.toThrow(/alert handshake failure/);
    }
  });

  it("does not negotiate anew on a connection", async () => {
    const { port } = await start();
    const options = { port, host: "127.0.0.1", ca: first.ca, maxVersion: "TLSv1.2" } as const;
    const socket = connectTls(options);
    await once(socket, "secureConnect");
    const refused = once(socket, "error") as Promise<[Error]>;
    socket.renegotiate({}, () => undefined);
    expect(String((await refused)[0])).toMatch(/no renegotiation/i);
    expect(await ask(first.ca)).toEqual(served);
  });

  it("serves another one when the files have changed, and keeps the connections of before", async () => {
    const { port } = await start();
    const kept = connectTls({ port, host: "127.0.0.1", ca: first.ca });
    await once(kept, "secureConnect");
    await write(second.cert, second.key);
    process.emit("SIGHUP");
    await until(() => told("read anew").length === 1);
    expect(told("read anew")[0]).toContain('"validTo":"20');
    expect(await ask(second.ca)).toEqual(served);
    await expect(ask(first.ca)).rejects.toThrow(/self-signed|unable to verify|signature failure/);
    await expect(only("TLSv1.1", second.ca)).rejects.toThrow(/alert protocol version/);
    const end = readToEnd(kept);
    kept.write("GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    expect(await end).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ["the key is of another certificate", () => [second.cert, first.key], "do not fit together"],
    ["the certificate is none", () => ["nonsense", first.key], "has no certificate chain"],
    ["the key is none", () => [first.cert, "nonsense"], "TLS_KEY_FILE has no private key"],
    ["the key is empty", () => [first.cert, ""], "TLS_KEY_FILE has no private key"],
    [
      "the key is gone",
      () => [first.cert, undefined],
      "TLS_KEY_FILE names a file that cannot be read (ENOENT)",
    ],
    ["the certificate is gone", () => [undefined, first.key], "TLS_CERT_FILE cannot be read (ENOENT)"],
  ] as const)("goes on with the one of before when %s", async (_case, texts, reason) => {
    await start();
    const [cert, key] = texts();
    await write(cert, key);
    process.emit("SIGHUP");
    await until(() => told("wrong; those of before").length === 1);
    expect(told("wrong; those of before")[0]).toContain(reason);
    expect(world?.events.lines.join()).not.toContain("PRIVATE KEY");
    expect(await ask(first.ca)).toEqual(served);
    await write(second.cert, second.key);
    process.emit("SIGHUP");
    await until(() => told("read anew").length === 1);
    expect(await ask(second.ca)).toEqual(served);
  });

  it.each([
    [
      "a key of another certificate",
      () => [first.cert, second.key],
      /^TLS_CERT_FILE and TLS_KEY_FILE do not fit/,
    ],
    [
      "no certificate",
      () => [undefined, first.key],
      /^TLS_CERT_FILE names a file that cannot be read \(ENOENT\)\.$/,
    ],
    ["no key", () => [first.cert, undefined], /TLS_KEY_FILE names a file that cannot be read \(ENOENT\)\.$/],
    [
      "a key where the certificate should be",
      () => [first.key, first.cert],
      /^TLS_CERT_FILE names a file that has no/,
    ],
  ] as const)("does not start with %s, and says it to the operator", async (_case, texts, message) => {
    const [cert, key] = texts();
    await write(cert, key);
    const error = await start().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(StartupError);
    expect((error as StartupError).message).toMatch(message);
    expect((error as StartupError).message).not.toContain("PRIVATE KEY-");
  });

  it("cuts who speaks plain HTTP or garbage to it, and serves the others", async () => {
    const { port, faults } = await start();
    for (const bytes of [
      "GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n",
      Buffer.from("16030100050100000100", "hex"),
      Buffer.alloc(20_000, 0x16),
      Buffer.from("1503030002022a", "hex"),
    ]) {
      // It may hear a TLS alert, but no word of HTTP.
      expect(await world?.raw(bytes)).not.toContain("HTTP/1.1");
    }
    const reset = await world!.connect();
    reset.write(Buffer.from("160301", "hex"));
    reset.resetAndDestroy();
    expect(port).toBeGreaterThan(0);
    expect(await ask(first.ca)).toEqual(served);
    expect(faults).toEqual([]);
  });

  it("answers a broken request inside TLS in words", async () => {
    const { port } = await start();
    const socket = connectTls({ port, host: "127.0.0.1", ca: first.ca });
    await once(socket, "secureConnect");
    socket.write("garbage\r\n\r\n");
    const text = await readToEnd(socket);
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(text).toContain("strict-transport-security: max-age=31536000\r\n");
  });

  it("gives a handshake the time of headers, and does not wait for one when it closes", async () => {
    await start({ http: { tls, headersTimeoutMs: 200 } });
    expect(await world?.raw(Buffer.from("1603", "hex"))).toBe("");
    await world?.[Symbol.asyncDispose]();
    await start();
    const silent = await world!.connect();
    const end = readToEnd(silent);
    await world!.server.close();
    expect(await end).toBe("");
  });
});

describe("a gateway with TLS_CERT_FILE and TLS_KEY_FILE", () => {
  it("announces https, and refuses to start with files that are not there", async () => {
    const environment = { TLS_CERT_FILE: tls.certFile, TLS_KEY_FILE: tls.keyFile };
    await using gateways = await startWorld({ environment });
    const [gateway] = gateways.gateways;
    expect(gateway?.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/graphql$/);
    const socket = connectTls({ port: Number(new URL(gateway!.url).port), host: "127.0.0.1", ca: first.ca });
    await once(socket, "secureConnect");
    socket.write("GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    expect(await readToEnd(socket)).toContain('{"status":"live"}');
    await rm(tls.keyFile);
    await expect(gateways.addGateway()).rejects.toThrow(
      "TLS_KEY_FILE names a file that cannot be read (ENOENT)",
    );
  });
});
