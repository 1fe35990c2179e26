/** The limits that each request, and each call to Azure, is held against. */
import { GatewayError } from "../../errors";
import type { Account } from "../azure/identity-provider";
import type { Caller } from "./caller";
import type { CallerLimits } from "./caller-limits";

/** The most addresses whose group is remembered. */
const maxGroups = 10_000;

/** Per minute. */
export interface PerMinute {
  /** Requests of a user. */
  readonly callerRequests: number;
  /** Requests from an address, other than those of services. */
  readonly addressRequests: number;
  /** Calls to Azure that a user causes. */
  readonly callerIssuances: number;
  /** Calls to Azure that users at one address cause. */
  readonly addressIssuances: number;
}

/**
 * Users are strangers and limited. A service is the operator's own: it has the limit that its key says, if any, and its
 * address counts for nothing, because all its users' requests come from there.
 */
export class RequestLimits {
  private readonly groups = new Map<string, string>();

  constructor(
    private readonly limits: CallerLimits,
    private readonly perMinute: PerMinute,
    /** What addresses are counted by: an address, or the network that one customer has. */
    private readonly groupOf: (address: string) => string,
  ) {}

  /** Throws `RATE_LIMITED` when too many requests came from the address. */
  admitAddress(address: string): void {
    this.take("requests", this.group(address), this.perMinute.addressRequests);
  }

  /** Throws `RATE_LIMITED` when too many requests came from the caller. */
  admitCaller({ id, user, requestsPerMinute }: Caller): void {
    const perMinute = requestsPerMinute ?? (user ? this.perMinute.callerRequests : undefined);
    if (perMinute !== undefined) this.take("requests", id, perMinute);
  }

  /** What the caller's calls to ACS are charged to. */
  accountOf({ id, user, issuancesPerMinute }: Caller, address: string): Account {
    const perMinute = issuancesPerMinute ?? (user ? this.perMinute.callerIssuances : undefined);
    const charge = () => {
      if (perMinute !== undefined) this.take("issuances", id, perMinute);
      if (user) this.take("issuances", this.group(address), this.perMinute.addressIssuances);
    };
    return { charge };
  }

  private group(address: string): string {
    const known = this.groups.get(address);
    if (known !== undefined) return known;
    if (this.groups.size >= maxGroups) this.groups.clear();
    const group = `address ${this.groupOf(address)}`;
    this.groups.set(address, group);
    return group;
  }

  private take(name: "requests" | "issuances", who: string, perMinute: number): void {
    const waitMs = this.limits.take(name, who, perMinute);
    if (waitMs === 0) return;
    const retryAfterSeconds = Math.ceil(waitMs / 1000);
    throw new GatewayError(
      "RATE_LIMITED",
      `Too many ${name === "requests" ? "requests" : "new tokens and changes"} in a minute. Try again in ${retryAfterSeconds} s.`,
      { retryAfterSeconds },
    );
  }
}
