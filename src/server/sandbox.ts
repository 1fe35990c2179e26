/** The page that a browser gets from GET /graphql: Apollo Sandbox, ready to run the quickstart. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage } from "node:http";
import type { ApolloServerPlugin, GraphQLServerContext } from "@apollo/server";
import { ApolloServerPluginLandingPageDisabled } from "@apollo/server/plugin/disabled";
import { ApolloServerPluginLandingPageLocalDefault } from "@apollo/server/plugin/landingPage/default";
import { isLocalRequest } from "./local-request";

/** What Sandbox starts with. */
export interface SandboxOptions {
  /** False: no page; GET /graphql speaks GraphQL alone. */
  readonly enabled: boolean;
  /** The GraphQL document to begin with. */
  readonly operations: string;
  /** Sent along as `x-api-key`. Given to pages on this machine only. */
  readonly developmentKey: string | undefined;
}

/** Apollo Server asks a plugin for its page without saying for whom; this says it. */
const asking = new AsyncLocalStorage<IncomingMessage>();

/** Runs `answer` so that a page it may lead to knows the request it is for. */
export function forPageOf<T>(request: IncomingMessage, answer: () => T): T {
  return request.headers.accept?.includes("text/html") ? asking.run(request, answer) : answer();
}

/** The plugin for Apollo Server. A page made outside {@link forPageOf} does not hold the development key. */
export function sandbox({ enabled, operations, developmentKey }: SandboxOptions): ApolloServerPlugin {
  if (!enabled) return ApolloServerPluginLandingPageDisabled();
  const keyless = page(operations, {});
  const keyed = developmentKey === undefined ? keyless : page(operations, { "x-api-key": developmentKey });
  return {
    async serverWillStart(service) {
      const remote = await renderer(keyless, service);
      const local = await renderer(keyed, service);
      const html = () => {
        const request = asking.getStore();
        return request !== undefined && isLocalRequest(request) ? local() : remote();
      };
      return { renderLandingPage: () => Promise.resolve({ html }) };
    },
  };
}

const sandboxCdn = "https://embeddable-sandbox.cdn.apollographql.com";
const landingPageCdn = "https://apollo-server-landing-page.cdn.apollographql.com";

/**
 * The Content-Security-Policy of the page, to be sent with it: Apollo Server writes one into the page too, which says
 * nothing of connections and cannot say who may frame it. Inline parts run by the nonce that Apollo Server makes for
 * each page. The frame has Apollo's editor; its operations are sent by the page itself, to this server.
 */
export function sandboxPolicy(html: string): string {
  const nonce = /<script nonce="([\w+/=-]+)"/.exec(html)?.[1];
  const inline = nonce === undefined ? "" : `'nonce-${nonce}' `;
  return [
    "default-src 'none'",
    `script-src ${inline}${sandboxCdn}`,
    `style-src ${inline}${sandboxCdn} https://fonts.googleapis.com`,
    "font-src https://fonts.gstatic.com",
    `img-src ${landingPageCdn}`,
    `manifest-src ${landingPageCdn}`,
    "connect-src 'self'",
    "frame-src https://sandbox.embed.apollographql.com",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

async function renderer(
  plugin: ApolloServerPlugin,
  service: GraphQLServerContext,
): Promise<() => Promise<string>> {
  const listener = await plugin.serverWillStart?.(service);
  const landingPage = await listener?.renderLandingPage?.();
  if (!landingPage) throw new Error("Apollo Server's landing page plugin offers no page.");
  const { html } = landingPage;
  return typeof html === "string" ? () => Promise.resolve(html) : html;
}

function page(document: string, headers: Record<string, string>): ApolloServerPlugin {
  return ApolloServerPluginLandingPageLocalDefault({
    document,
    headers,
    includeCookies: false,
    embed: { runTelemetry: false },
  });
}
