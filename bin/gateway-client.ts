/** GraphQL operations over HTTP for the command line, with readable errors. */
import { StartupError } from "../src/startup-error";

/** A document with the types of its result and variables, as the code generator prints them. */
export interface TypedDocument<TData, TVariables> {
  readonly __apiType?: ((variables: TVariables) => TData) | undefined;
  toString(): string;
}

interface Answer<TData> {
  readonly data?: TData | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

/** Sends operations to one gateway. */
export class GatewayClient {
  constructor(
    readonly url: string,
    private readonly apiKey: string,
  ) {}

  /** The operation's data. Throws `StartupError` with what the gateway said, or that it is not there. */
  async send<TData, TVariables>(
    document: TypedDocument<TData, TVariables>,
    variables?: TVariables,
  ): Promise<TData> {
    const { data, errors } = await this.post<TData>(
      JSON.stringify({ query: document.toString(), variables }),
    );
    const [error] = errors ?? [];
    if (error)
      throw new StartupError(`The gateway answers ${error.extensions?.code ?? "an error"}: ${error.message}`);
    if (!data) throw new StartupError("The gateway answers without data. Is this its GraphQL endpoint?");
    return data;
  }

  private async post<TData>(body: string): Promise<Answer<TData>> {
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/graphql-response+json, application/json;q=0.9",
          "x-api-key": this.apiKey,
        },
        body,
      });
      return (await response.json()) as Answer<TData>;
    } catch {
      throw new StartupError(`No gateway answers at ${this.url}. Start one with: npm start`);
    }
  }
}
