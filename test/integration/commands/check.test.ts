/** `check` tells the configuration that `start` would run with, and no secret of it. */
import { expect, it } from "@jest/globals";
import { developmentAccessKey } from "../../../emulator/development";
import { runProgram } from "../../support/program";

const check = async (environment: Readonly<Record<string, string>>) => {
  const { code, stdout, stderr } = await runProgram({ args: ["check"], environment });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
};

it("shows the gateway's own emulator where no ACS resource is configured", async () => {
  const shown = await check({ EMULATOR_PORT: "4711" });
  expect(JSON.parse(shown)).toMatchObject({
    production: false,
    acs: { resources: [{ endpoint: "http://127.0.0.1:4711" }] },
  });
  expect(shown).not.toContain(developmentAccessKey);
});

it("shows the ACS resource that is configured", async () => {
  const key = Buffer.alloc(64, 1).toString("base64");
  const shown = await check({
    ACS_CONNECTION_STRING: `endpoint=https://contoso.communication.azure.com/;accesskey=${key}`,
  });
  expect(JSON.parse(shown)).toMatchObject({
    acs: { resources: [{ endpoint: "https://contoso.communication.azure.com" }] },
  });
  expect(shown).not.toContain(key);
});

it("shows every ACS resource, and no key of any", async () => {
  const key = (fill: number) => Buffer.alloc(64, fill).toString("base64");
  const id = (last: number) => `00000000-0000-4000-8000-00000000000${last}`;
  const shown = await check({
    ACS_CONNECTION_STRING: [1, 2]
      .map((n) => `endpoint=https://r${n}.communication.azure.com/;accesskey=${key(n)} resource-id=${id(n)}`)
      .join(","),
    ACS_ENDPOINT: `https://r3.communication.azure.com resource-id=${id(3)} weight=0 rate-limit=2000`,
  });
  expect(JSON.parse(shown)).toMatchObject({
    acs: {
      resources: [
        { endpoint: "https://r1.communication.azure.com", resourceId: id(1), weight: 1, issuances: 1_000 },
        {
          endpoint: "https://r2.communication.azure.com",
          accessKey: expect.stringMatching(/^sha256:.{8}…$/),
        },
        { accessKey: "Entra", resourceId: id(3), weight: 0, issuances: 2_000 },
      ],
    },
  });
  for (const fill of [1, 2]) expect(shown).not.toContain(key(fill).slice(0, 20));
});
