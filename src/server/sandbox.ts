/** The page that a browser gets from GET /graphql: Apollo Sandbox, with the quickstart in it. */
import type { ApolloServerPlugin } from "@apollo/server";
import { ApolloServerPluginLandingPageDisabled } from "@apollo/server/plugin/disabled";
import { ApolloServerPluginLandingPageLocalDefault } from "@apollo/server/plugin/landingPage/default";

/**
 * The plugin for Apollo Server; without a document to begin with there is no page, and GET /graphql speaks GraphQL alone.
 *
 * The page loads a script from Apollo's CDN, without a hash because Apollo changes it in place, and that script hands
 * headers to a frame of Apollo's. So the page is never given a key: who wants one there pastes it.
 */
export function sandbox(document: string | undefined): ApolloServerPlugin {
  if (document === undefined) return ApolloServerPluginLandingPageDisabled();
  return ApolloServerPluginLandingPageLocalDefault({
    document,
    headers: { "x-api-key": "" },
    includeCookies: false,
    embed: { runTelemetry: false },
  });
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
