/** A load of requests over some connections: as fast as the answers come, or at a rate of its own. */
import { Buffer } from "node:buffer";
import { Worker } from "node:worker_threads";
import { now } from "./clock.mjs";
import { Connection } from "./connection.mjs";
import { quantile, startMeter, summary } from "./meter.mjs";

/** Samples that a run can keep. */
const maxSamples = 4_000_000;
/** The longest that is waited for answers after the last request of a run. */
const drainMs = 10_000;

/** Connections to one or more servers, and the requests that go over them. */
export class Load {
  #connections = [];
  #requests;
  #prefix = Buffer.alloc(0);
  #lengths;
  #next = 0;
  #step = 1;
  #onAnswer = () => undefined;
  #failure;

  /**
   * @param {{ targets: { host: string, port: number }[], connections: number, requests: object, prefix: string,
   * lengths?: number[] }} options how every right answer begins, and how many bytes each has, if that is known
   */
  async open({ targets, connections, requests, prefix, lengths }) {
    this.#requests = requests;
    this.#lengths = lengths;
    this.#prefix = Buffer.from(prefix);
    this.#next = 0;
    // Neighbours in the store are not asked for one after the other.
    this.#step = coprime(Math.floor(requests.count * 0.618), requests.count);
    for (let index = 0; index < connections; index++) {
      const target = targets[index % targets.length];
      this.#connections.push(
        new Connection(
          target,
          (connection, isOk, body) => this.#answered(connection, isOk, body),
          (error) => (this.#failure ??= error),
        ),
      );
    }
    await Promise.all(this.#connections.map(({ opened }) => opened));
  }

  close() {
    for (const connection of this.#connections) connection.close();
    this.#connections = [];
  }

  /** The answer to each request, as text. */
  async readAll() {
    const { count } = this.#requests;
    const bodies = new Array(count);
    let sent = 0;
    await new Promise((resolve, reject) => {
      let answered = 0;
      const send = (connection) => {
        if (sent < count) this.#send(connection, sent++, 0);
      };
      this.#onAnswer = (connection, body) => {
        bodies[connection.mark] = body.toString();
        answered += 1;
        if (answered === count) resolve();
        else send(connection);
      };
      this.#onWrong = reject;
      for (const connection of this.#connections) send(connection);
    });
    return bodies;
  }

  /** Sends the request with this number alone, over the connection of that number. @returns the milliseconds until its answer */
  once(index, connection = 0) {
    return new Promise((resolve, reject) => {
      const startedAt = now();
      this.#onWrong = reject;
      this.#onAnswer = () => resolve(now() - startedAt);
      this.#send(this.#connections[connection], index, startedAt);
    });
  }

  /** Sends the first request on every connection at the same time, and waits for all answers. */
  burst() {
    const samples = new Float64Array(this.#connections.length);
    return new Promise((resolve, reject) => {
      let answered = 0;
      const meter = startMeter({});
      this.#onWrong = reject;
      this.#onAnswer = ({ intended }) => {
        samples[answered++] = now() - intended;
        if (answered === samples.length) resolve(summary(samples, answered, meter.stop()));
      };
      const startedAt = now();
      for (const connection of this.#connections) this.#send(connection, 0, startedAt);
    });
  }

  /**
   * Sends the next request on each connection as soon as it has its answer.
   * @param {{ seconds?: number, warmSeconds?: number, total?: number, watched?: Record<string, number[]> }} options
   * `total`: ends after so many requests instead; `watched`: processes whose CPU time is taken over the measured time
   */
  async saturate({ seconds = Infinity, warmSeconds = 0, total = Infinity, watched = {} }) {
    const samples = new Float64Array(Number.isFinite(total) ? total : maxSamples);
    const warmUntil = now() + warmSeconds * 1e3;
    let [count, sent] = [0, 0];
    let meter;
    let until = Infinity;
    return await new Promise((resolve, reject) => {
      this.#onWrong = reject;
      let busy = 0;
      const send = (connection) => {
        sent += 1;
        this.#send(connection, this.#following(), now());
      };
      this.#onAnswer = (connection) => {
        const at = now();
        if (meter) {
          if (at <= until) {
            if (count < samples.length) samples[count] = at - connection.intended;
            count += 1;
          }
        } else if (at >= warmUntil) {
          meter = startMeter(watched);
          until = at + seconds * 1e3;
        }
        if (at < until && sent < total) return send(connection);
        busy -= 1;
        if (meter && !meter.result) meter.result = meter.stop();
        if (busy === 0)
          resolve(summary(samples.subarray(0, Math.min(count, samples.length)), count, meter.result));
      };
      if (warmSeconds === 0) {
        meter = startMeter(watched);
        until = now() + seconds * 1e3;
      }
      for (const connection of this.#connections) {
        busy += 1;
        send(connection);
      }
    });
  }

  /**
   * Sends requests at a fixed rate, whether answers come or not, over whichever connection is free; one that finds none
   * waits for it. Times count from when a request was to be sent, so a server that stalls is not spared.
   */
  async pace({ rate, seconds, warmSeconds = 0.5, watched = {} }) {
    const intervalMs = 1e3 / rate;
    const warm = Math.round(warmSeconds * rate);
    const total = warm + Math.round(seconds * rate);
    const samples = new Float64Array(total - warm);
    const lateness = new Float64Array(total - warm);
    const startAt = now() + 100;
    // In turn, so that none is idle for so long that the server closes it.
    const free = [...this.#connections];
    let [due, sent, answered] = [0, 0, 0];
    let meter;
    const pacer = new Worker(new URL("pacer.mjs", import.meta.url), {
      workerData: { startAt, intervalMs, count: total },
    });
    try {
      return await new Promise((resolve, reject) => {
        this.#onWrong = reject;
        pacer.once("error", reject);
        const sendDue = () => {
          while (sent < due && free.length > 0) {
            const connection = free.shift();
            const intended = startAt + sent * intervalMs;
            connection.order = sent;
            sent += 1;
            this.#send(connection, this.#following(), intended);
          }
        };
        pacer.on("message", (reached) => {
          if (reached > warm) meter ??= startMeter(watched);
          const at = now();
          for (let index = Math.max(due, warm); index < reached; index++)
            lateness[index - warm] = at - (startAt + index * intervalMs);
          due = reached;
          sendDue();
          if (due === total) {
            meter.result = meter.stop();
            setTimeout(() => reject(new Error("Answers did not come.")), drainMs).unref();
          }
        });
        this.#onAnswer = (connection) => {
          const { order, intended } = connection;
          if (order >= warm) samples[order - warm] = now() - intended;
          answered += 1;
          free.push(connection);
          if (sent < due) sendDue();
          if (answered === total)
            resolve({
              ...summary(samples, samples.length, meter.result),
              latenessP99: quantile(lateness.sort(), 0.99),
            });
        };
      });
    } finally {
      await pacer.terminate();
    }
  }

  #onWrong = () => undefined;

  #following() {
    this.#next = (this.#next + this.#step) % this.#requests.count;
    return this.#next;
  }

  #send(connection, index, intended) {
    connection.mark = index;
    connection.intended = intended;
    connection.send(this.#requests.at(index));
    if (this.#failure) this.#onWrong(this.#failure);
  }

  #answered(connection, isOk, body) {
    const isRight =
      isOk &&
      (this.#lengths === undefined || this.#lengths[connection.mark] === body.length) &&
      this.#prefix.compare(body, 0, this.#prefix.length) === 0;
    if (isRight) this.#onAnswer(connection, body);
    else this.#onWrong(new Error(`A wrong answer: ${body.toString("utf8", 0, 500)}`));
  }
}

/** The first number from `wish` on that has no divisor with `count` in common: steps of it visit all. */
function coprime(wish, count) {
  const divisor = (a, b) => (b === 0 ? a : divisor(b, a % b));
  let step = Math.max(1, wish);
  while (divisor(step, count) !== 1) step += 1;
  return step;
}
