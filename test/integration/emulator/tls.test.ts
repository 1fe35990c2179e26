/** The emulator's certificates: what strict clients ask of them, and that nobody trusts them unasked. */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { startEmulator, type Emulator } from "../../../emulator/emulator";

let emulator: Emulator;
let ca: string;
let port: number;
let certificate: X509Certificate;
beforeAll(async () => {
  emulator = await startEmulator({ tls: true });
  ({ ca } = emulator.https!);
  port = Number(new URL(emulator.https!.url).port);
  const socket: TLSSocket = connect({ host: "127.0.0.1", port, ca });
  await once(socket, "secureConnect");
  certificate = socket.getPeerX509Certificate()!;
  socket.destroy();
});
afterAll(() => emulator.close());

it("are a server's, issued by an authority that is none itself", () => {
  const authority = new X509Certificate(ca);
  expect(authority.ca).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(certificate.checkIssued(authority)).toBe(true);
  expect(certificate.verify(authority.publicKey)).toBe(true);
  // Extended key usage: server authentication, without which Apple's clients refuse a certificate.
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
});

it("are for this machine's loopback names and for nothing else", () => {
  expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(certificate.checkHost("localhost")).toBe("localhost");
  expect(certificate.checkHost("communication.azure.com")).toBeUndefined();
});

it("are trusted by who is given the authority, and by nobody else", async () => {
  const trusting = connect({ host: "127.0.0.1", port, ca });
  await once(trusting, "secureConnect");
  expect(trusting.authorized).toBe(true);
  trusting.destroy();
  await expect(once(connect({ host: "127.0.0.1", port }), "secureConnect")).rejects.toMatchObject({
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  });
});

it("serve the official SDK, with a TokenCredential, that takes the authority as `tlsOptions`", async () => {
  const credential = {
    getToken: async () => ({
      token: await emulator.entra.token(),
      expiresOnTimestamp: Date.now() + 3_600_000,
    }),
  };
  const options = { tlsOptions: { ca } };
  const client = new CommunicationIdentityClient(emulator.https!.url, credential, options);
  const { token } = await client.createUserAndToken(["voip"]);
  expect(emulator.introspect(token)).toMatchObject({ active: true, scopes: ["voip"] });
});

it("end with their emulator, however often it is told to close", async () => {
  const ended = await startEmulator({ tls: true });
  const tlsPort = Number(new URL(ended.https!.url).port);
  await Promise.all([ended.close(), ended.close()]);
  await ended[Symbol.asyncDispose]();
  for (const closed of [ended.port, tlsPort]) {
    await expect(
      once(connect({ host: "127.0.0.1", port: closed, ca }), "secureConnect"),
    ).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
  }
});
