/** viewer, and what is bound to the caller. */
import { Arg, Ctx, Directive, FieldResolver, Query, Resolver } from "type-graphql";
import { Identity } from "../schema/identity";
import type { TokenScope } from "../schema/token-scope";
import { DeviceIdentity, Viewer, type CallerKind } from "../schema/viewer";
import { tokenScopes } from "../services/tokens/token-scope";
import { Allow } from "./access";
import { callerOf } from "./access-rules";
import { OwnIdentity } from "./own-identity";
import type { RequestContext } from "./context";

@Resolver(() => Viewer)
export class ViewerResolver {
  constructor(private readonly own: OwnIdentity) {}

  @Allow({ own: true })
  @Query(() => Viewer, { description: "Who the gateway takes you for." })
  viewer(@Ctx() context: RequestContext): Omit<Viewer, "identity" | "identities"> {
    const { name, kind, scopes, rights } = callerOf(context);
    return {
      name,
      kind: kind as CallerKind,
      scopes: tokenScopes.filter((scope) => scopes.has(scope)) as readonly TokenScope[],
      rights: [...rights].sort(),
    };
  }

  @Directive("@cost(weight: 100)")
  @FieldResolver(() => Identity, {
    nullable: true,
    description:
      "The identity bound to you, or to your device; a user's is made on first use. Null for services, which name the identity that they act for. Errors: BAD_USER_INPUT, RATE_LIMITED, UPSTREAM_UNAVAILABLE, DIRECTORY_UNAVAILABLE, AUDIT_UNAVAILABLE.",
  })
  async identity(
    @Ctx() context: RequestContext,
    @Arg("device", () => String, { nullable: true, description: "The device label, such as `phone`." })
    device?: string | null,
  ): Promise<Identity | null> {
    if (!callerOf(context).user) return null;
    const how = { any: "identity:read:any", make: true, input: "" } as const;
    const { identityId } = await this.own.find(context, { device }, how);
    return { id: identityId };
  }

  @Directive("@listSize(assumedSize: 10)")
  @FieldResolver(() => [DeviceIdentity], {
    description:
      "The identities bound to you that exist: your own, and one for each device label. Errors: DIRECTORY_UNAVAILABLE.",
  })
  async identities(@Ctx() context: RequestContext): Promise<DeviceIdentity[]> {
    const { user } = callerOf(context);
    if (!user) return [];
    const found = await this.own.listOf(user);
    return found.map(({ device, identityId }) => ({ device: device || null, identity: { id: identityId } }));
  }
}
