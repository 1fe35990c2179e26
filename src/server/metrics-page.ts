/** The route /metrics: what the gateway counts, in Prometheus's text format. */
import { HttpRefusal } from "./http-refusal";
import type { AdmitOperator, Page, PageExchange } from "./page";

/** Where metrics are read. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Answers scrapes of those who are let in. */
export class MetricsPage implements Page {
  /** @param admit without it everybody is let in, who can connect. */
  constructor(
    private readonly metrics: MetricsText,
    private readonly admit?: AdmitOperator,
  ) {}

  async handle(exchange: PageExchange): Promise<boolean> {
    const { request, response, path } = exchange;
    if (path !== "/metrics") return false;
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new HttpRefusal("METHOD_NOT_ALLOWED", "Metrics are read with GET or HEAD.", [
        "allow",
        "GET, HEAD",
      ]);
    }
    await this.admit?.(exchange);
    const text = await this.metrics.text();
    response.setHeader("content-type", this.metrics.contentType);
    response.setHeader("content-length", Buffer.byteLength(text));
    response.writeHead(200);
    response.end(text);
    return true;
  }
}
