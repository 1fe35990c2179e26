/** Creates and deletes identities together with what the directory knows of them. */
import { badInput } from "../../errors";
import type { CallOptions } from "../azure/identity-provider";
import type { UserIdentities } from "./directory/user-identities";
import type { CreateCall, CreatedIdentity, IdentityService, NewIdentity } from "./identity-service";

/** What a new identity is to be like. */
export interface WantedIdentity extends NewIdentity {
  /** It is deleted by itself this many minutes from now: 60 to 525600. */
  readonly deleteAfterMinutes?: number | undefined;
}

const minute = 60_000;
const deleteAfter = { min: 60, max: 525_600 };

/** Creates and deletes identities so that the directory never has a deleted one. */
export class IdentityLifecycle {
  constructor(
    private readonly identities: IdentityService,
    /** Undefined: there are no users, and nothing is deleted by itself. */
    private readonly directory: UserIdentities | undefined,
  ) {}

  /** Creates an identity that is bound to nobody. Rejects as {@link IdentityService.create}, or the directory, does. */
  async create(
    { deleteAfterMinutes, ...wanted }: WantedIdentity,
    call: CreateCall,
  ): Promise<CreatedIdentity> {
    if (deleteAfterMinutes === undefined) return this.identities.create(wanted, call);
    const { directory } = this;
    if (
      !Number.isInteger(deleteAfterMinutes) ||
      deleteAfterMinutes < deleteAfter.min ||
      deleteAfterMinutes > deleteAfter.max
    ) {
      throw badInput(
        "input.deleteAfterMinutes",
        `deleteAfterMinutes must be a whole number from ${deleteAfter.min} to ${deleteAfter.max}, got ${deleteAfterMinutes}.`,
      );
    }
    if (!directory) {
      throw badInput(
        "input.deleteAfterMinutes",
        "This gateway has no directory to remember the deletion in: its operator sets DATABASE_URL or DIRECTORY_PATH.",
      );
    }
    let failure: unknown;
    // Whether or not a failed deletion was entered, the identity is deleted now: a second deletion does no harm.
    const keep = (identityId: string) =>
      directory.deleteLater(identityId, deleteAfterMinutes * minute).then(
        () => true,
        (error: unknown) => {
          failure = error;
          return false;
        },
      );
    return this.identities.create(wanted, { ...callOf(call), keep }).catch((error: unknown) => {
      throw failure ?? error;
    });
  }

  /** Deletes an identity, whoever it is bound to. Rejects as {@link IdentityService.delete}, or the directory, does. */
  async delete(identityId: string, call: Pick<CallOptions, "account" | "span">): Promise<void> {
    if (!this.directory) {
      await this.identities.delete(identityId, call);
      return;
    }
    await this.directory.delete(identityId, () => this.identities.delete(identityId, call));
  }
}

/** The parts of a call may be getters, which a spread would not copy. */
function callOf({ signal, answered, account, span }: CreateCall): CreateCall {
  return { account, span, ...(signal ? { signal } : {}), ...(answered ? { answered } : {}) };
}
