/** The printed schema for federation routers that refuse `@authenticated` and `@requiresScopes`. */
import { Kind, parse, print, visit } from "graphql";

const names = new Set(["authenticated", "requiresScopes"]);

/**
 * The type definitions without the two directives and their import. `@apollo/gateway`, and Apollo Router without a
 * GraphOS plan, do not start with a supergraph that has them. Nothing is lost: the gateway checks all of it by itself.
 */
export function withoutAccessDirectives(typeDefs: string): string {
  const document = visit(parse(typeDefs), {
    Directive: (node) => (names.has(node.name.value) ? null : undefined),
    StringValue: (node, _key, parent) => {
      const isImport = Array.isArray(parent) && names.has(node.value.slice(1)) && node.value.startsWith("@");
      return isImport ? null : undefined;
    },
    DirectiveDefinition: (node) => (names.has(node.name.value) ? null : undefined),
  });
  return `${print({ kind: Kind.DOCUMENT, definitions: document.definitions })}\n`;
}
