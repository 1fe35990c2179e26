/** Concurrent callers of one key share one run and its outcome, unless the outcome is older than they are. */
import { expect, it } from "@jest/globals";
import { SingleFlight, type Flight, type Outcome } from "../../../src/services/tokens/single-flight";

const staying = () => new AbortController().signal;
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** A caller that begins now and stays. */
function call<T>(flights: SingleFlight<T>, key: string, work: (flight: Flight) => Promise<Outcome<T>>) {
  return flights.run(key, flights.moment(), staying(), work);
}

/** Work that is vouched for when it ends. */
function at<T>(flights: SingleFlight<T>, value: T) {
  return () => Promise.resolve({ value, asOf: flights.moment() });
}

it("runs once for all callers of a key, and once more for the next", async () => {
  const flights = new SingleFlight<number>();
  let runs = 0;
  const work = async () => {
    await Promise.resolve();
    return { value: ++runs, asOf: flights.moment() };
  };
  expect(await Promise.all(Array.from({ length: 50 }, () => call(flights, "k", work)))).toEqual(
    Array(50).fill(1),
  );
  expect(await call(flights, "k", work)).toBe(2);
});

it("keeps keys apart, and instances", async () => {
  const [one, two] = [new SingleFlight<string>(), new SingleFlight<string>()];
  const answers = await Promise.all([
    call(one, "a", at(one, "one a")),
    call(one, "b", at(one, "one b")),
    call(two, "a", at(two, "two a")),
  ]);
  expect(answers).toEqual(["one a", "one b", "two a"]);
});

it("shares a failure as it shares a success, without trying again for each caller", async () => {
  const flights = new SingleFlight<never>();
  let runs = 0;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, () =>
      call(flights, "k", () => {
        runs += 1;
        return Promise.reject(new Error("429"));
      }),
    ),
  );
  expect(runs).toBe(1);
  expect(outcomes.every((outcome) => outcome.status === "rejected")).toBe(true);
});

it("gives no outcome to who began after the moment that vouches for it, and gathers them in one next run", async () => {
  const flights = new SingleFlight<number>();
  let [running, most, runs] = [0, 0, 0];
  const work = async () => {
    const asOf = flights.moment();
    most = Math.max(most, ++running);
    for (let ticks = 5; ticks > 0; ticks--) await tick();
    running -= 1;
    return { value: ++runs, asOf };
  };
  const early = call(flights, "k", work);
  await tick();
  const late = Array.from({ length: 10 }, () => call(flights, "k", work));
  expect(await early).toBe(1);
  expect(await Promise.all(late)).toEqual(Array(10).fill(2));
  expect([most, runs]).toEqual([1, 2]);
});

it("lets a caller leave alone, and cancels the run only when the last one has left", async () => {
  const flights = new SingleFlight<string>();
  const [one, two] = [new AbortController(), new AbortController()];
  let cancelled = false;
  const work = (flight: Flight) =>
    new Promise<never>((_, reject) => {
      flight.signal.addEventListener("abort", () => {
        cancelled = true;
        reject(new Error("cancelled"));
      });
    });
  const first = flights.run("k", flights.moment(), one.signal, work);
  const second = flights.run("k", flights.moment(), two.signal, work);
  one.abort(new Error("one left"));
  await expect(first).rejects.toThrow("one left");
  expect(cancelled).toBe(false);
  two.abort(new Error("two left"));
  await expect(second).rejects.toThrow("two left");
  expect(cancelled).toBe(true);
  expect(await call(flights, "k", at(flights, "new"))).toBe("new");
});
