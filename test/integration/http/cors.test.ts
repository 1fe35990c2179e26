/** Proves who may call from a browser. */
import { describe, expect, it } from "@jest/globals";
import { SmallWorld } from "./http-world";

const app = "https://app.example";
const preflight = (world: SmallWorld, origin: string) =>
  fetch(`${world.url}/graphql`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type,x-api-key",
    },
  });
const corsHeaders = ({ headers }: Response) =>
  [...headers.keys()].filter((name) => name.startsWith("access-control-") || name === "vary");

describe("CORS", () => {
  it("is closed by default: not one of its headers, to anybody", async () => {
    await using world = await SmallWorld.start();
    const answer = await world.post({ query: "{ hello }" }, { origin: app });
    expect(answer.status).toBe(200);
    expect(corsHeaders(answer)).toEqual([]);
    const asked = await preflight(world, app);
    expect(asked.status).toBe(204);
    expect(corsHeaders(asked)).toEqual([]);
  });

  it("answers the preflight of a listed origin with what it may send", async () => {
    await using world = await SmallWorld.start({ http: { corsOrigins: ["https://other.example", app] } });
    const { status, headers } = await preflight(world, app);
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-origin")).toBe(app);
    expect(headers.get("access-control-allow-methods")).toBe("GET, POST");
    expect(headers.get("access-control-allow-headers")).toBe(
      "content-type, authorization, x-api-key, apollo-require-preflight, x-request-id",
    );
    expect(Number(headers.get("access-control-max-age"))).toBeGreaterThan(0);
    expect(headers.get("access-control-allow-credentials")).toBeNull();
    expect(headers.get("vary")).toBe("Origin");
  });

  it("lets a listed origin read answers, refusals of the door included", async () => {
    await using world = await SmallWorld.start({ http: { corsOrigins: [app] } });
    for (const body of [{ query: "{ hello }" }, "{"]) {
      const { headers } = await world.post(body, { origin: app });
      expect(headers.get("access-control-allow-origin")).toBe(app);
      expect(headers.get("access-control-expose-headers")).toBe("x-request-id, retry-after");
      expect(headers.get("vary")).toBe("Origin");
    }
  });

  it.each(["https://app.example.evil.example", "http://app.example", "https://APP.example", "null"])(
    "tells %s, which is not listed, nothing but that it depends on the origin",
    async (origin) => {
      await using world = await SmallWorld.start({ http: { corsOrigins: [app] } });
      expect(corsHeaders(await world.post({ query: "{ hello }" }, { origin }))).toEqual(["vary"]);
      expect(corsHeaders(await preflight(world, origin))).toEqual(["vary"]);
    },
  );

  it("opens to every origin with a star, and never with credentials", async () => {
    await using world = await SmallWorld.start({ http: { corsOrigins: "*" } });
    for (const { headers } of [
      await preflight(world, app),
      await world.post({ query: "{ hello }" }, { origin: app }),
    ]) {
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("access-control-allow-credentials")).toBeNull();
    }
  });
});
