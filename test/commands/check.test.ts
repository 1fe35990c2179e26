/** `check` tells the configuration that `start` would run with, and no secret of it. */
import { expect, it } from "@jest/globals";
import { developmentAccessKey } from "../../emulator/development";
import { runProgram } from "./program";

const check = async (environment: Readonly<Record<string, string>>) => {
  const { code, stdout, stderr } = await runProgram({ args: ["check"], environment });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
};

it("shows the gateway's own emulator where no ACS resource is configured", async () => {
  const shown = await check({ EMULATOR_PORT: "4711" });
  expect(JSON.parse(shown)).toMatchObject({ production: false, acs: { endpoint: "http://127.0.0.1:4711" } });
  expect(shown).not.toContain(developmentAccessKey);
});

it("shows the ACS resource that is configured", async () => {
  const key = Buffer.alloc(64, 1).toString("base64");
  const shown = await check({
    ACS_CONNECTION_STRING: `endpoint=https://contoso.communication.azure.com/;accesskey=${key}`,
  });
  expect(JSON.parse(shown)).toMatchObject({ acs: { endpoint: "https://contoso.communication.azure.com" } });
  expect(shown).not.toContain(key);
});
