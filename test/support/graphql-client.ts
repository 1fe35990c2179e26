/** GraphQL over HTTP as a client sends it: one POST, one JSON answer. */

export interface GraphqlAnswer<TData> {
  readonly status: number;
  readonly headers: Headers;
  readonly data: TData | null | undefined;
  readonly errors: readonly GraphqlAnswerError[] | undefined;
}

export interface GraphqlAnswerError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: { readonly code: string } & Readonly<Record<string, unknown>>;
}

/** A document with the types of its result and variables, as the code generator prints them. */
export interface TypedDocument<TData, TVariables> {
  readonly __apiType?: (variables: TVariables) => TData;
  toString(): string;
}

export class GraphqlClient {
  constructor(
    readonly url: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  /** The same caller at another gateway. */
  at(url: string): GraphqlClient {
    return new GraphqlClient(url, this.headers);
  }

  async send<TData = Record<string, unknown>, TVariables extends object = Record<string, unknown>>(
    document: TypedDocument<TData, TVariables>,
    variables?: TVariables,
    options: { headers?: Readonly<Record<string, string>>; signal?: AbortSignal } = {},
  ): Promise<GraphqlAnswer<TData>> {
    const response = await fetch(this.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/graphql-response+json",
        ...this.headers,
        ...options.headers,
      },
      body: JSON.stringify({ query: document.toString(), variables }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const body = (await response.json()) as Pick<GraphqlAnswer<TData>, "data" | "errors">;
    return { status: response.status, headers: response.headers, data: body.data, errors: body.errors };
  }

  /** The data of an answer without errors. */
  async data<TData, TVariables extends object>(
    document: TypedDocument<TData, TVariables>,
    variables?: TVariables,
  ): Promise<TData> {
    const { data, errors } = await this.send(document, variables);
    if (errors || !data) throw new Error(`The gateway answered with errors: ${JSON.stringify(errors)}`);
    return data;
  }

  /** The one error of an answer. */
  async error<TData, TVariables extends object>(
    document: TypedDocument<TData, TVariables>,
    variables?: TVariables,
  ): Promise<GraphqlAnswerError & { readonly status: number }> {
    const { errors, status } = await this.send(document, variables);
    if (errors?.length !== 1 || !errors[0]) throw new Error(`Not one error but ${JSON.stringify(errors)}`);
    return { ...errors[0], status };
  }
}
