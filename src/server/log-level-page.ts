/** The route /operations/log-level: reads and sets the level of the log. For operators only. */
import type { ServerResponse } from "node:http";
import { z } from "zod";
import { defaultMinutes, maxMinutes, type LogLevelSwitch } from "../services/telemetry/log-level";
import { logLevels } from "../services/telemetry/logger";
import { HttpRefusal } from "./http-refusal";
import type { KnowOperator, Page, PageExchange } from "./page";
import { readJsonObject } from "./request-body";

/** Where it is served. */
const logLevelPath = "/operations/log-level";

/** Bodies are of a few words. */
const bodyLimitBytes = 1_024;

const wanted = z.strictObject({
  level: z.enum(logLevels),
  minutes: z.number().positive().max(maxMinutes).default(defaultMinutes),
});

export class LogLevelPage implements Page {
  constructor(
    private readonly level: Pick<LogLevelSwitch, "now" | "set">,
    private readonly operator: KnowOperator,
  ) {}

  async handle(exchange: PageExchange): Promise<boolean> {
    const { request, response, path } = exchange;
    if (path !== logLevelPath) return false;
    const { method = "" } = request;
    if (!["GET", "HEAD", "PUT"].includes(method)) {
      throw new HttpRefusal("METHOD_NOT_ALLOWED", "The level is read with GET, and set with PUT.", [
        "allow",
        "GET, HEAD, PUT",
      ]);
    }
    const operator = await this.operator(exchange);
    if (method !== "PUT") {
      send(response, this.level.now());
      return true;
    }
    const parsed = wanted.safeParse(await readJsonObject(request, bodyLimitBytes));
    if (!parsed.success) {
      throw new HttpRefusal(
        "BAD_REQUEST",
        `Send {"level": "debug", "minutes": 10}: one of ${logLevels.join(", ")}, for more than 0 and at most ${maxMinutes} minutes; ${defaultMinutes} when left out.`,
      );
    }
    const { level, minutes } = parsed.data;
    const change = `log level ${level} for ${minutes} minutes`;
    send(response, await operator.operate(change, () => this.level.set(level, minutes)));
    return true;
  }
}

function send(response: ServerResponse, body: object): void {
  const text = JSON.stringify(body);
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.setHeader("content-length", Buffer.byteLength(text));
  response.writeHead(200);
  response.end(text);
}
