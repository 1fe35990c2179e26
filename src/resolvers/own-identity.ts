/** Which identity an operation is about, and whether it is the caller's own: the one place where ownership is decided. */
import { badInput, GatewayError } from "../errors";
import type { Caller, Subject } from "../services/access/caller";
import type { Right } from "../services/access/rights";
import { checkIdentityId } from "../services/identities/identity-id";
import {
  TooManyDevices,
  type Owner,
  type UserIdentities,
} from "../services/identities/directory/user-identities";
import type { CallOptions } from "../services/azure/identity-provider";
import { callerOf, checkDevice, checkRight, notYours } from "./access-rules";
import type { KnownOwner, RequestContext, Target } from "./context";

/** An identity that the caller may act on. */
export interface Acting {
  readonly identityId: string;
  /** Whose it is in the directory; undefined when the caller named it, or his issuer did. */
  readonly owner: Owner | undefined;
}

/** How an operation's identity is found. */
export interface Finding {
  /** The right to act on any identity. */
  readonly any: Right;
  /** Make the caller's own identity if there is none yet. */
  readonly make: boolean;
  /** The argument that holds the target, for errors; empty when its fields are arguments themselves. */
  readonly input: "input" | "";
}

/** Finds identities for callers. */
export class OwnIdentity {
  constructor(
    /** Undefined: no issuer's users need it. */
    private readonly directory: UserIdentities | undefined,
    /** Identities that a user may have beside his own. */
    private readonly maxDevices: number,
  ) {}

  /**
   * The identity that `target` names, or the caller's own. Throws `BAD_USER_INPUT`, `FORBIDDEN`, `IDENTITY_NOT_FOUND` when
   * the caller has none yet and none is to be made, or as the directory does.
   */
  find(context: RequestContext, target: Target, how: Finding): Acting | Promise<Acting> {
    const caller = callerOf(context);
    const { identityId, device } = target;
    if (identityId !== undefined && identityId !== null) {
      if (device !== undefined && device !== null) {
        throw badInput(
          argument(how, "device"),
          "identityId and device must not both be given: either names one.",
        );
      }
      checkIdentityId(identityId, argument(how, "identityId"));
      const found: Acting = { identityId, owner: undefined };
      if (caller.rights.has(how.any)) return found;
      return this.checkOwner(context, identityId, how.any).then(() => found);
    }
    if (!caller.user) {
      throw badInput(
        argument(how, "identityId"),
        "identityId is required: no identity is bound to an API key.",
      );
    }
    return this.own(caller.user, device ?? "", how, context.call);
  }

  /** Throws `FORBIDDEN` unless the identity is the caller's own, or he may act on any. */
  async checkOwner(context: RequestContext, identityId: string, any: Right): Promise<void> {
    const caller = callerOf(context);
    if (caller.rights.has(any)) return;
    if (!caller.user) {
      checkRight(caller, any);
      return;
    }
    if (!(await this.owns(context, caller.user, identityId))) throw notYours(any);
  }

  /** All identities of a user: his own, which may not exist yet and is then left out, and one per device label. */
  async listOf(user: Subject): Promise<readonly { readonly device: string; readonly identityId: string }[]> {
    if (user.byClaim) {
      if (user.identityId === undefined) return [];
      await this.checkClaim(user, user.identityId);
      return [{ device: "", identityId: user.identityId }];
    }
    return this.directoryFor().listOf(user.issuer, user.subject);
  }

  /**
   * Runs `act` on the identity; when Azure says that there is none although the directory has it, somebody has deleted
   * it behind our back: then the caller gets a new one, once.
   */
  acting<T>(
    { identityId, owner }: Acting,
    { user }: Caller,
    call: CallOptions,
    act: (identityId: string) => Promise<T>,
  ): Promise<{ readonly identityId: string; readonly result: T }> {
    const { directory } = this;
    const run = (id: string) => act(id).then((result) => ({ identityId: id, result }));
    if (!owner || !directory) return run(identityId);
    return run(identityId).catch(async (error: unknown) => {
      const gone = error instanceof GatewayError && error.code === "IDENTITY_NOT_FOUND";
      if (!gone) throw error;
      const options = { ephemeralForMs: user?.ephemeralForMs, maxDevices: this.maxDevices };
      const replaced = await directory.replace(owner, identityId, options, call).catch((failure: unknown) => {
        throw failure instanceof TooManyDevices ? this.tooMany("input.device") : failure;
      });
      return run(replaced);
    });
  }

  private own(user: Subject, device: string, how: Finding, call: CallOptions): Acting | Promise<Acting> {
    if (!user.byClaim) return this.ownInDirectory(user, device, how, call);
    if (device !== "")
      throw badInput(argument(how, "device"), "Your issuer names your one identity: leave device out.");
    if (user.identityId === undefined) {
      throw new GatewayError("FORBIDDEN", "Your access token names no identity of yours.");
    }
    const found: Acting = { identityId: user.identityId, owner: undefined };
    if (!this.directory) return found;
    return this.checkClaim(user, user.identityId).then(() => found);
  }

  /**
   * Throws `FORBIDDEN` when the directory has the identity that an issuer's claim names for another user: an issuer
   * speaks for its own users only. Without a directory there is one such issuer, and all users are its own.
   */
  private async checkClaim(user: Subject, identityId: string): Promise<void> {
    const [owner] = (await this.directory?.ownersOf([identityId])) ?? [];
    if (owner && !isOwner(user, owner)) {
      throw new GatewayError(
        "FORBIDDEN",
        "The identity that your access token names belongs to another user.",
      );
    }
  }

  private async ownInDirectory(
    user: Subject,
    device: string,
    how: Finding,
    call: CallOptions,
  ): Promise<Acting> {
    const directory = this.directoryFor();
    const owner = { issuer: user.issuer, subject: user.subject, device };
    if (device !== "") checkDevice(device, argument(how, "device"));
    if (!how.make) {
      const found = await directory.find(owner);
      if (found !== undefined) return { identityId: found, owner };
      throw new GatewayError("IDENTITY_NOT_FOUND", "You have no such identity yet: issueToken makes it.");
    }
    const options = { ephemeralForMs: user.ephemeralForMs, maxDevices: this.maxDevices };
    const identityId = await directory.identityOf(owner, options, call).catch((error: unknown) => {
      throw error instanceof TooManyDevices ? this.tooMany(argument(how, "device")) : error;
    });
    return { identityId, owner };
  }

  private async owns({ lookups }: RequestContext, user: Subject, identityId: string): Promise<boolean> {
    if (user.byClaim && user.identityId !== identityId) return false;
    const owner = this.directory && (await lookups.owners.load(identityId));
    return owner ? isOwner(user, owner) : user.byClaim;
  }

  private tooMany(argumentName: string): GatewayError {
    return badInput(
      argumentName,
      `You have ${this.maxDevices} identities with device labels, which is the most: delete one first.`,
    );
  }

  private directoryFor(): UserIdentities {
    if (this.directory) return this.directory;
    throw new Error("A user needs the directory, and there is none.");
  }
}

function isOwner({ issuer, subject }: Subject, owner: KnownOwner): boolean {
  return owner.issuer === issuer && owner.subject === subject;
}

function argument({ input }: Finding, field: keyof Target): string {
  return input === "" ? field : `${input}.${field}`;
}
