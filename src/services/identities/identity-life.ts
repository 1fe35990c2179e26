/** Identities from their making to their end, with what the directory knows of them. */
import { badInput } from "../../errors";
import type { CallOptions } from "../azure/identity-provider";
import type { UserIdentities } from "./directory/user-identities";
import type { CreateCall, CreatedIdentity, IdentityService, NewIdentity } from "./identity-service";

/** What a new identity is to be like. */
export interface WantedIdentity extends NewIdentity {
  /** It is deleted by itself so many minutes from now: 60 to 525600. */
  readonly deleteAfterMinutes?: number | undefined;
}

const minute = 60_000;
const deleteAfter = { min: 60, max: 525_600 };

/** Makes and deletes identities so that the directory never has one that is no more. */
export class IdentityLife {
  constructor(
    private readonly identities: IdentityService,
    /** Undefined: there are no users, and nothing is deleted by itself. */
    private readonly directory: UserIdentities | undefined,
  ) {}

  /** Makes an identity that is bound to nobody. Rejects as {@link IdentityService.create}, or the directory, does. */
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
    const keep = async (identityId: string) => {
      try {
        await directory.deleteLater(identityId, deleteAfterMinutes * minute);
        return "kept";
      } catch (error) {
        failure = error;
        // Whether or not it was entered, it is deleted: now, or later as well.
        return "lost";
      }
    };
    return this.identities.create(wanted, { ...callOf(call), keep }).catch((error: unknown) => {
      throw failure ?? error;
    });
  }

  /** Deletes an identity, whoever is bound to it. Rejects as {@link IdentityService.delete}, or the directory, does. */
  async delete(identityId: string, call: Pick<CallOptions, "account" | "span">): Promise<void> {
    if (!this.directory) {
      await this.identities.delete(identityId, call);
      return;
    }
    await this.directory.delete(identityId, () => this.identities.delete(identityId, call));
  }
}

/** A call's parts may be made when they are first asked for, which a spread would not see. */
function callOf(call: CreateCall): CreateCall {
  const { signal, answered, account, span } = call;
  return { account, span, ...(signal ? { signal } : {}), ...(answered ? { answered } : {}) };
}
