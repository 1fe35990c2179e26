/** What an operation is given, and what it answers. */
import type { EntraStandIn } from "../entra-stand-in";
import type { Identities, Resource } from "../identities";
import type { JwtKey } from "../jwt";
import type { Settings } from "../settings";

/** One request, after its signature and api-version were checked. */
export interface Call {
  readonly resource: Resource;
  /** The access key that signed, or `entra`. */
  readonly credential: string;
  /** The JSON body; an empty object when there was none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The id in the path, decoded. */
  readonly identityId: string;
  readonly apiVersion: string;
}

/** The parts that operations work with. */
export interface Parts {
  readonly settings: Settings;
  readonly identities: Identities;
  readonly key: JwtKey;
  readonly entra: EntraStandIn;
}

/** A success: exactly the status that the SDKs expect, and a body or none. */
export interface Answer {
  readonly status: 200 | 201 | 204;
  readonly body?: object;
}

/** Does the work of one operation. Throws `RestError`. */
export type Operation = (call: Call, parts: Parts) => Promise<Answer> | Answer;
