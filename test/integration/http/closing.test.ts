/** Proves that closing loses no request in flight and never waits for ever. */
import { once } from "node:events";
import { describe, expect, it } from "@jest/globals";
import { answerOf, readToEnd, SmallWorld } from "./http-world";

/** A field that answers when the test says so. */
class Gate {
  #enter: () => void = () => undefined;
  #leave: () => void = () => undefined;
  readonly entered = new Promise<void>((resolve) => (this.#enter = resolve));
  readonly #opened = new Promise<void>((resolve) => (this.#leave = resolve));
  signal: AbortSignal | undefined;

  readonly field = async ({ signal }: { signal: AbortSignal }): Promise<string> => {
    this.signal = signal;
    this.#enter();
    await this.#opened;
    return "finished";
  };

  open(): void {
    this.#leave();
  }
}

const held = { query: '{ field(name: "held") }' };

describe("closing the HTTP server", () => {
  it("finishes the request in flight, ends its connection and refuses new ones", async () => {
    const gate = new Gate();
    await using world = await SmallWorld.start({ fields: { held: gate.field } });
    const answer = world.post(held);
    await gate.entered;
    const closed = world.server.close();
    await expect(world.connect()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    gate.open();
    const response = await answer;
    expect(response.headers.get("connection")).toBe("close");
    expect(await answerOf(response)).toEqual({ data: { field: "finished" } });
    await closed;
    expect(gate.signal?.aborted).toBe(false);
  });

  it("does not wait for idle connections, nor for half a request", async () => {
    await using world = await SmallWorld.start({
      http: {
        drainTimeoutMs: 60_000,
        keepAliveTimeoutMs: 60_000,
        requestTimeoutMs: 60_000,
        headersTimeoutMs: 60_000,
      },
    });
    const silent = await world.connect();
    const half = await world.connect();
    half.write("POST /graphql HTTP/1.1\r\nhost:");
    const kept = await world.connect();
    kept.write("GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(kept, "data");
    const ends = [silent, half, kept].map(readToEnd);
    await world.server.close();
    await Promise.all(ends);
  });

  it("cuts a request that takes longer than the drain timeout, and tells its context", async () => {
    const gate = new Gate();
    await using world = await SmallWorld.start({
      http: { drainTimeoutMs: 100 },
      fields: { held: gate.field },
    });
    const answer = world.post(held).then(
      () => "answered",
      () => "cut",
    );
    await gate.entered;
    const aborted = once(gate.signal!, "abort");
    await world.server.close();
    expect(await answer).toBe("cut");
    await aborted;
    gate.open();
  });

  it("waits for the work of a client that has disconnected", async () => {
    const gate = new Gate();
    await using world = await SmallWorld.start({ fields: { held: gate.field } });
    const client = new AbortController();
    const gone = fetch(`${world.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(held),
      signal: client.signal,
    });
    await gate.entered;
    const aborted = once(gate.signal!, "abort");
    client.abort();
    await expect(gone).rejects.toThrow();
    await aborted;
    let done = false;
    const closed = world.server.close().then(() => (done = true));
    await expect(world.connect()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(done).toBe(false);
    gate.open();
    await closed;
  });

  it("may be asked for twice, and before the server has started", async () => {
    await using world = await SmallWorld.start();
    await Promise.all([world.server.close(), world.server.close()]);
    await using silent = await SmallWorld.start({ listen: false });
    await silent.server.close();
  });

  it("is announced by drain: not ready, last answer on each connection, yet everything is served", async () => {
    await using world = await SmallWorld.start();
    world.server.drain();
    const ready = await fetch(`${world.url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ status: "draining", parts: {} });
    expect((await fetch(`${world.url}/health/live`)).status).toBe(200);
    const response = await world.post({ query: "{ hello }" });
    expect(response.status).toBe(200);
    expect(response.headers.get("connection")).toBe("close");
  });
});
