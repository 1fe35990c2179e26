/** Concurrent callers of one key share one run and its outcome; a closed run takes nobody on board. */
import { expect, it } from "@jest/globals";
import { SingleFlight, type Flight } from "../../src/services/tokens/single-flight";

const staying = () => new AbortController().signal;

function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    opened,
    open: () => {
      open();
    },
  };
}

it("runs once for all callers of a key, and once more for the next", async () => {
  const flights = new SingleFlight<number>();
  let runs = 0;
  const work = async () => {
    await Promise.resolve();
    return ++runs;
  };
  expect(await Promise.all(Array.from({ length: 50 }, () => flights.run("k", staying(), work)))).toEqual(
    Array(50).fill(1),
  );
  expect(await flights.run("k", staying(), work)).toBe(2);
});

it("keeps keys apart, and instances", async () => {
  const [one, two] = [new SingleFlight<string>(), new SingleFlight<string>()];
  const answers = await Promise.all([
    one.run("a", staying(), () => Promise.resolve("one a")),
    one.run("b", staying(), () => Promise.resolve("one b")),
    two.run("a", staying(), () => Promise.resolve("two a")),
  ]);
  expect(answers).toEqual(["one a", "one b", "two a"]);
});

it("shares a failure as it shares a success, without trying again for each caller", async () => {
  const flights = new SingleFlight<never>();
  let runs = 0;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, () =>
      flights.run("k", staying(), () => {
        runs += 1;
        return Promise.reject(new Error("429"));
      }),
    ),
  );
  expect(runs).toBe(1);
  expect(outcomes.every((outcome) => outcome.status === "rejected")).toBe(true);
});

it("starts a new run for who comes after it has closed, and lets the first finish for its own", async () => {
  const flights = new SingleFlight<string>();
  const [closed, finish] = [gate(), gate()];
  const first = flights.run("k", staying(), async (flight) => {
    flight.close();
    closed.open();
    await finish.opened;
    return "first";
  });
  await closed.opened;
  expect(await flights.run("k", staying(), () => Promise.resolve("second"))).toBe("second");
  finish.open();
  expect(await first).toBe("first");
});

it("lets one closed run work at a time when they take turns, and gathers the others in one", async () => {
  const flights = new SingleFlight<number>();
  let [running, most, runs] = [0, 0, 0];
  const work = async (flight: Flight) => {
    await flight.takeTurn();
    most = Math.max(most, ++running);
    for (let ticks = 5; ticks > 0; ticks--) await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return ++runs;
  };
  const answers: Promise<number>[] = [];
  for (let index = 0; index < 30; index++) {
    answers.push(flights.run("k", staying(), work));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const seen = await Promise.all(answers);
  expect(most).toBe(1);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(runs).toBeLessThan(10);
});

it("lets a caller leave alone, and cancels the run only when the last one has left", async () => {
  const flights = new SingleFlight<string>();
  const [one, two] = [new AbortController(), new AbortController()];
  let cancelled = false;
  const work = (flight: Flight) =>
    new Promise<string>((_, reject) => {
      flight.signal.addEventListener("abort", () => {
        cancelled = true;
        reject(new Error("cancelled"));
      });
    });
  const first = flights.run("k", one.signal, work);
  const second = flights.run("k", two.signal, work);
  one.abort(new Error("one left"));
  await expect(first).rejects.toThrow("one left");
  expect(cancelled).toBe(false);
  two.abort(new Error("two left"));
  await expect(second).rejects.toThrow("two left");
  expect(cancelled).toBe(true);
  expect(await flights.run("k", staying(), () => Promise.resolve("new"))).toBe("new");
});
