/** Sends requests that no honest client sends to a gateway, and judges every byte that comes back. */
import { connect, type Socket } from "node:net";
import { seededRandom } from "../../support/random";
import { fuzzRequests, type FuzzMaterial, type FuzzRequest } from "./fuzz-inputs";

export interface FuzzOptions {
  readonly port: number;
  readonly count: number;
  /** Request number `n` is made from `seed + n`. */
  readonly seed: number;
  readonly material: FuzzMaterial;
}

export interface FuzzReport {
  /** How many requests of each kind had each outcome: an error's code, or else the status. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** What must not be, with the seed of its request. The first hundred. */
  readonly findings: readonly string[];
}

/** Requests at once. */
const workers = 8;
/** A gateway that says nothing for so long has forgotten its client. */
const patienceMs = 15_000;
const mostFindings = 100;

/** One HTTP answer. */
interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Runs it all. */
export async function fuzz({ port, count, seed, material }: FuzzOptions): Promise<FuzzReport> {
  const makers = fuzzRequests(material);
  const outcomes = new Map<string, Map<string, number>>();
  const findings: string[] = [];
  let next = 0;
  const work = async () => {
    using connection = new Connection(port);
    while (next < count && findings.length < mostFindings) {
      const number = seed + next++;
      const random = seededRandom(number * 2_654_435_761);
      const request = random.pick(makers)(random);
      const problems: string[] = [];
      const counted = outcomes.get(request.kind) ?? new Map<string, number>();
      outcomes.set(request.kind, counted);
      try {
        const answers = request.wellFormed
          ? [await connection.ask(request.bytes)]
          : await askAlone(port, request.bytes);
        for (const answer of answers) problems.push(...problemsOf(request, answer));
        const outcome = answers.length === 0 ? "closed" : answers.map(outcomeOf).join("+").slice(0, 60);
        counted.set(outcome, (counted.get(outcome) ?? 0) + 1);
      } catch (error) {
        problems.push(String(error));
      }
      for (const problem of problems) findings.push(`seed ${number}, ${request.kind}: ${problem}`);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return { outcomes, findings };
}

/** The report as lines of text, a kind each. */
export function tableOf({ outcomes }: FuzzReport): string {
  const lines = [...outcomes].map(([kind, counted]) => {
    const all = [...counted].sort(([, one], [, other]) => other - one);
    const sum = all.reduce((total, [, times]) => total + times, 0);
    const rest = all.slice(8).reduce((total, [, times]) => total + times, 0);
    const shown = all.slice(0, 8).map(([outcome, times]) => `${outcome} ${times}`);
    return `| ${kind} | ${sum} | ${[...shown, ...(rest > 0 ? [`others ${rest}`] : [])].join(", ")} |`;
  });
  return ["| requests | sent | outcomes |", "| --- | --- | --- |", ...lines.sort()].join("\n");
}

const accessToken = /eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*/g;

function problemsOf(request: FuzzRequest, { status, headers, body }: Answer): string[] {
  const problems: string[] = [];
  if (status >= 500) problems.push(`status ${status}: ${body.slice(0, 300)}`);
  if (/\n\s+at /.test(body) || body.includes("node_modules")) problems.push(`a stack: ${body.slice(0, 300)}`);
  if (headers.has("x-injected")) problems.push("a header was injected");
  if (headers.get("x-content-type-options") !== "nosniff") problems.push("no nosniff");
  if (!headers.has("content-security-policy")) problems.push("no content security policy");
  if (headers.get("cache-control") !== "no-store") problems.push("may be cached");
  if (headers.get("content-type")?.includes("json") && body !== "") problems.push(...problemsOfJson(body));
  if (request.honest && !(status === 200 && body.includes('"token":"eyJ'))) {
    problems.push(`an honest request was answered with ${status}: ${body.slice(0, 300)}`);
  }
  const sent = request.bytes.toString("latin1");
  for (const [token] of body.matchAll(accessToken)) {
    if (sent.includes(token)) continue;
    if (request.credential === "nobody") problems.push("a token for nobody");
    if (request.credential === "user" && !isOf(token, sent)) problems.push("another's token");
  }
  return problems;
}

function problemsOfJson(body: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return [`not JSON: ${body.slice(0, 300)}`];
  }
  const { data, errors, status, endpoint } = value as Record<string, unknown>;
  if (errors === undefined) {
    return (data ?? status ?? endpoint) ? [] : [`neither data nor errors: ${body.slice(0, 300)}`];
  }
  const all = errors as { message?: string }[];
  if (all.length > 20 || all.some(({ message = "" }) => message.length > 500)) return ["too many words"];
  if (!data && Buffer.byteLength(body) > 16_384) return [`${body.length} characters without data`];
  const wellFormed = (errors as { message?: unknown; extensions?: { code?: unknown } }[]).every(
    ({ message, extensions }) => typeof message === "string" && typeof extensions?.code === "string",
  );
  if (!wellFormed) return [`an error without message or code: ${body.slice(0, 300)}`];
  return body.includes("INTERNAL_SERVER_ERROR") ? [`an internal error: ${body.slice(0, 300)}`] : [];
}

/** Whether an ACS token is that of the identity which the request's own access token names. */
function isOf(acsToken: string, sent: string): boolean {
  const claimsOf = (token: string) =>
    JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
  const [own] = /(?<=authorization: Bearer )\S+/.exec(sent) ?? [];
  return own !== undefined && `8:${String(claimsOf(acsToken).skypeid)}` === claimsOf(own).acs;
}

function outcomeOf({ status, headers, body }: Answer): string {
  const code = headers.get("content-type")?.includes("json") ? /"code":"(\w+)"/.exec(body)?.[1] : undefined;
  return code ?? String(status);
}

/** A connection that is kept as long as the gateway keeps it. */
class Connection implements Disposable {
  #socket: Socket | undefined;

  constructor(private readonly port: number) {}

  async ask(bytes: Buffer): Promise<Answer> {
    const socket = (this.#socket ??= connect({ port: this.port, host: "127.0.0.1", noDelay: true }));
    const isWhole = (received: Buffer) =>
      answersIn(received, false)?.some(({ status }) => status >= 200) ?? false;
    const received = await exchange(socket, bytes, isWhole);
    const answer = answersIn(received, false)?.find(({ status }) => status >= 200);
    if (!answer) throw new Error(`No whole answer: ${received.toString("latin1").slice(0, 300)}`);
    if (socket.destroyed || answer.headers.get("connection") === "close" || !socket.readable)
      this[Symbol.dispose]();
    return answer;
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}

/** Sends bytes on a connection of their own, says that there are no more, and takes what comes until it is closed. */
async function askAlone(port: number, bytes: Buffer): Promise<Answer[]> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const received = await exchange(socket, bytes, () => false, true);
  const answers = answersIn(received, true);
  if (!answers) throw new Error(`Not HTTP: ${received.toString("latin1").slice(0, 300)}`);
  return answers;
}

function exchange(
  socket: Socket,
  bytes: Buffer,
  isWhole: (received: Buffer) => boolean,
  thenEnd = false,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      if (isWhole(Buffer.concat(chunks))) stop();
    };
    const stop = () => {
      clearTimeout(timer);
      socket.off("data", take).off("close", stop).off("end", end);
      resolve(Buffer.concat(chunks));
    };
    const end = () => socket.end();
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`Nothing happened for ${patienceMs} ms.`));
    }, patienceMs);
    if (socket.listenerCount("error") === 0) socket.on("error", () => undefined);
    socket.on("data", take).on("close", stop).on("end", end);
    if (thenEnd) socket.end(bytes);
    else socket.write(bytes);
  });
}

/** The answers in what was received; undefined when it is not HTTP, or, without `closed`, not whole yet. */
function answersIn(received: Buffer, closed: boolean): Answer[] | undefined {
  const answers: Answer[] = [];
  for (let rest = received; rest.length > 0;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const [first = "", ...lines] = rest.toString("latin1", 0, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) [ -~]*$/.exec(first)?.[1]);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name, value] = /^([\w-]+): ([\t -~]*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) return undefined;
      headers.set(name.toLowerCase(), value);
    }
    rest = rest.subarray(end + 4);
    const length = status < 200 || status === 204 ? 0 : Number(headers.get("content-length"));
    if (Number.isNaN(status) || Number.isNaN(length)) return undefined;
    if (status < 200) continue;
    // A connection that ends without a body was asked for the head alone.
    if (rest.length < length && !(closed && rest.length === 0)) return undefined;
    answers.push({ status, headers, body: rest.toString("utf8", 0, length) });
    rest = rest.subarray(length);
  }
  return answers;
}
