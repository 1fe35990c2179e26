/** Says once, for the access rules and for the printed schema, who may call a field. */
import { Authorized, Directive } from "type-graphql";
import type { Right } from "../services/access/rights";
import type { AuditedAction } from "../services/telemetry/audit";

/** Who may call: users for what is their own, others with a right. */
export interface Access {
  /** Users may, for what is their own. */
  readonly own?: true;
  /** Whoever has this right may, whosever it is. */
  readonly any?: Right;
  /** What the audit calls it; undefined: it is not audited. */
  readonly action?: AuditedAction;
}

/**
 * Guards a field. The printed schema tells federation routers as much of it as they can enforce themselves: that there
 * is a caller (`@authenticated`), or which OAuth scope he needs (`@requiresScopes`). Whose identity it is they cannot know.
 */
export function Allow(access: Access): MethodDecorator & PropertyDecorator {
  const directive =
    access.own || access.any === undefined
      ? "@authenticated"
      : `@requiresScopes(scopes: [["${access.any}"]])`;
  const decorators = [Authorized<Access>([access]), Directive(directive)];
  return (target: object, key: string | symbol, descriptor?: PropertyDescriptor) => {
    for (const decorate of decorators) (decorate as MethodDecorator)(target, key, descriptor ?? {});
  };
}
