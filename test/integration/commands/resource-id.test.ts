/** `resource-id` tells what a gateway with several resources must be told, and leaves nothing behind. */
import { expect, it } from "@jest/globals";
import { startEmulator } from "../../../emulator/emulator";
import { runProgram } from "../../support/program";

it("tells the id of each resource, whatever else its entry says, and deletes what it made", async () => {
  const key = (name: string) => Buffer.from(`${name}, a key`.padEnd(48)).toString("base64");
  const id = "0e0ac5e0-0000-4000-8000-000000000077";
  const other = { id, primaryKey: key("one"), secondaryKey: key("two") };
  await using first = await startEmulator();
  await using second = await startEmulator({ resources: [other] });
  const environment = {
    ACS_CONNECTION_STRING: `${first.connectionString},${second.connectionString} weight=2`,
    NODE_ENV: "production",
  };
  const { code, stdout, stderr } = await runProgram({ args: ["resource-id"], environment });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.split("\n")).toEqual([
    `127.0.0.1:${first.port} resource-id=${first.resourceId}`,
    `127.0.0.1:${second.port} resource-id=${id}`,
    "",
  ]);
  for (const { identities } of [first, second]) {
    expect(identities.list().map(({ deleted }) => deleted)).toEqual([true]);
  }
});

it("says which resource does not tell, and nothing of its key", async () => {
  await using emulator = await startEmulator();
  const key = Buffer.from("a key that nobody has").toString("base64");
  const environment = { ACS_CONNECTION_STRING: `endpoint=${emulator.url};accesskey=${key}` };
  const { code, stderr } = await runProgram({ args: ["resource-id"], environment });
  expect(code).toBe(1);
  expect(stderr).toContain(
    `acs-token-gateway: 127.0.0.1:${emulator.port}: Azure Communication Services refused`,
  );
  expect(stderr).not.toContain(key);
  const none = await runProgram({ args: ["resource-id"] });
  expect(none.stderr).toContain("ACS_CONNECTION_STRING or ACS_ENDPOINT must be set");
});
