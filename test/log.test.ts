/** Nothing secret reaches the log, whatever part of an error or a message it stands in. */
import { expect, it } from "@jest/globals";
import { createEvents } from "../src/services/telemetry/events";
import { createLogger } from "../src/services/telemetry/logger";
import { scrub } from "../src/services/telemetry/scrub";

const token = "eyJhbGciOiJSUzI1NiJ9.eyJza3lwZWlkIjoiYWNzOngifQ.c2lnbmF0dXJl-_";
const connection = "endpoint=https://contoso.communication.azure.com/;accesskey=dG9wc2VjcmV0a2V5==";

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  let text = "";
  write(createLogger("trace", { write: (line) => void (text += line) }));
  return text;
}

it.each([
  [
    "a message",
    (log: ReturnType<typeof createLogger>) => {
      log.info(`token ${token}, ${connection}`);
    },
  ],
  [
    "an error",
    (log: ReturnType<typeof createLogger>) => {
      log.error(new Error(`unexpected ${token}; ${connection}`));
    },
  ],
  [
    "a nested object",
    (log: ReturnType<typeof createLogger>) => {
      log.info({ a: { b: [{ c: token, d: connection }] } });
    },
  ],
  [
    "a URL",
    (log: ReturnType<typeof createLogger>) => {
      log.info("redis://user:dG9wc2VjcmV0a2V5==@host:6379");
    },
  ],
  [
    "an internal error",
    (log: ReturnType<typeof createLogger>) => {
      createEvents(log).internalError(new Error(`${token} ${connection}`));
    },
  ],
])("scrubs tokens, keys and passwords from %s, and leaves a line of JSON", (_where, write) => {
  const text = logged(write);
  expect(text).not.toMatch(/eyJ|c2lnbmF0|dG9wc2Vj/);
  expect(() => JSON.parse(text) as unknown).not.toThrow();
});

it("leaves what is no secret as it is", () => {
  for (const text of [
    '{"level":"info"}',
    "https://contoso.communication.azure.com/identities",
    "eyJ is a prefix",
  ]) {
    expect(scrub(text)).toBe(text);
  }
});

it("tells who operates where an internal error is to be found", () => {
  let id = "";
  const text = logged((log) => {
    id = createEvents(log).internalError(new TypeError("x is not a function"));
  });
  expect(JSON.parse(text)).toMatchObject({ level: "error", errorId: id, msg: "internal error" });
});
