/** tokenRevoked. */
import { Arg, Directive, ID, Resolver, Root, Subscription, type SubscribeResolverData } from "type-graphql";
import { TokenRevocation, type RevocationCause } from "../schema/token-revocation";
import { Allow } from "./access";
import type { RequestContext, RevocationEvent } from "./context";

@Resolver()
export class RevocationResolver {
  @Allow({ own: true, any: "identity:read:any" })
  @Directive("@cost(weight: 100)")
  @Subscription(() => TokenRevocation, {
    // type-graphql asks no instance here.
    subscribe: ({ context, args }: SubscribeResolverData) => (context as RequestContext).revocations(args),
    description:
      "Tells of each revocation of an identity's tokens within a second, so that a frontend need not wait for ACS to refuse its token. Served as server-sent events (GraphQL over SSE, distinct connections mode). Best effort: what happens while you are not connected is not told, and a revocation at another gateway may get lost while Redis is away. The stream ends after an hour, when your credential expires, when the identity is deleted and when the gateway stops: connect again. Errors: BAD_USER_INPUT, FORBIDDEN, RATE_LIMITED (too many streams), UPSTREAM_UNAVAILABLE, DIRECTORY_UNAVAILABLE.",
  })
  tokenRevoked(
    @Root() { identity, cause, revokedAt }: RevocationEvent,
    @Arg("identityId", () => ID, {
      nullable: true,
      description:
        "Whose. A user leaves it out for his own identity, which is made on first use; a service must give it.",
    })
    _identityId?: string | null,
    @Arg("device", () => String, {
      nullable: true,
      description: "Your identity for this device, instead of your own.",
    })
    _device?: string | null,
  ): TokenRevocation {
    return { identity, cause: cause as RevocationCause, revokedAt: new Date(revokedAt) };
  }
}
