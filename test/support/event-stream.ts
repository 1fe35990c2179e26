/** A GraphQL subscription as a client sees it, frame by frame. */
import type { GraphqlAnswerError } from "./graphql-client";

export interface StreamedEvent<TData> {
  readonly data?: TData | null;
  readonly errors?: readonly GraphqlAnswerError[];
}

export interface EventStream<TData> extends AsyncDisposable {
  readonly response: Response;
  /** Whether the server has accepted the subscription, and did not answer with an event at once. */
  readonly begun: boolean;
  /** The next event; undefined at the end. Rejects when the connection breaks. */
  next(): Promise<StreamedEvent<TData> | undefined>;
  /** Whether the server said that it was the end, once it is. */
  readonly completed: boolean;
}

/** Sends the document and resolves as soon as the server has answered with a head and its first bytes. */
export async function openStream<TData>(
  url: string,
  headers: Readonly<Record<string, string>>,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
): Promise<EventStream<TData>> {
  const end = new AbortController();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", ...headers },
    body: JSON.stringify({ query, variables }),
    signal: end.signal,
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let completed = false;
  const read = async () => {
    const { done, value } = await reader.read();
    text += value ?? "";
    return !done;
  };
  await read();
  const begun = text === ":\n\n";
  const next = async (): Promise<StreamedEvent<TData> | undefined> => {
    for (;;) {
      const gap = text.indexOf("\n\n");
      if (gap < 0) {
        if (!(await read())) return undefined;
        continue;
      }
      const frame = text.slice(0, gap);
      text = text.slice(gap + 2);
      if (frame.startsWith("event: complete")) completed = true;
      const data = /^event: next\ndata: (.*)$/s.exec(frame)?.[1];
      if (data !== undefined) return JSON.parse(data) as StreamedEvent<TData>;
    }
  };
  return {
    response,
    begun,
    next,
    get completed() {
      return completed;
    },
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await reader.cancel().catch(() => undefined);
    },
  };
}
