/** The ACS resources that the gateway issues through: their text forms in the environment. */
import { EntryProblem, number, parsed, single, splitEntries, type Entry } from "../services/access/entries";
import type { Meaning } from "../services/watched-file";

/** A resource as the environment names it. */
export interface NamedResource {
  /** Its origin: `https://<resource>.communication.azure.com`. */
  readonly endpoint: string;
  /** Base64; undefined: Entra, through DefaultAzureCredential. */
  readonly accessKey: string | undefined;
  /** Its immutable id, in lower case. */
  readonly resourceId: string | undefined;
  /** Its share of the new identities, beside the others' weights; 0: it gets none. */
  readonly weight: number | undefined;
  /** Issuances that Azure allows it in 30 seconds. */
  readonly rateLimit: number | undefined;
}

/** The heaviest that a resource can be. */
const maxWeight = 1_000;
/** The highest limit that Azure can have raised a resource to, as far as this gateway is concerned. */
export const maxRateLimit = 1_000_000;

const fieldNames = ["weight", "resource-id", "rate-limit"] as const;
const optionally =
  "several separated by commas, each followed by weight=…, resource-id=… or rate-limit=… if it needs them";
const stringForm = `must look like endpoint=https://<resource>.communication.azure.com/;accesskey=<base64 key>; ${optionally}`;
const endpointForm = `must look like https://<resource>.communication.azure.com; ${optionally}`;

/**
 * Reads `endpoint=…;accesskey=… [weight=…] [resource-id=…] [rate-limit=…]`, several separated by commas or newlines. At
 * least one. No problem repeats a part that may be a key.
 */
export function parseConnectionStrings(text: string): Meaning<readonly NamedResource[]> {
  // A connection string may have a space in its middle, where Azure's own tools accept one too.
  return entriesOf(text.replace(/;\s+(?=accesskey=)/gi, ";"), stringForm, (entry) => {
    const [, url = "", accessKey = ""] = /^endpoint=(.+?);accesskey=([^;]+);?$/i.exec(entry.head) ?? [];
    if (!URL.canParse(url) || !isBase64(accessKey)) throw new EntryProblem(stringForm);
    const endpoint = new URL(url);
    if (endpoint.pathname !== "/") throw new EntryProblem("must have an endpoint without a path");
    const isPlain = endpoint.protocol === "http:" && isLoopback(endpoint);
    if (endpoint.protocol !== "https:" && !isPlain) {
      throw new EntryProblem(
        "must have an https endpoint; http is for an emulator on this machine (127.0.0.1, localhost, [::1])",
      );
    }
    return { ...fieldsOf(entry, endpoint), endpoint: endpoint.origin, accessKey };
  });
}

/** Reads `https://… [weight=…] [resource-id=…] [rate-limit=…]`, several separated by commas or newlines. At least one. */
export function parseEndpoints(text: string): Meaning<readonly NamedResource[]> {
  return entriesOf(text, endpointForm, (entry) => {
    const endpoint = URL.canParse(entry.head) ? new URL(entry.head) : undefined;
    if (endpoint?.protocol !== "https:" || endpoint.host === "") throw new EntryProblem(endpointForm);
    return { ...fieldsOf(entry, endpoint), endpoint: endpoint.origin, accessKey: undefined };
  });
}

/** Whether an endpoint is on this machine. */
export function isLoopback(endpoint: URL): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(endpoint.hostname);
}

function entriesOf(
  text: string,
  form: string,
  read: (entry: Entry) => NamedResource,
): Meaning<readonly NamedResource[]> {
  return parsed(() => {
    const resources = split(text, form).map(read);
    if (resources.length === 0) throw new EntryProblem(form);
    return resources;
  });
}

/** What stands where a field is expected may be the rest of a key: the whole form says more than the field's name. */
function split(text: string, form: string): readonly Entry[] {
  try {
    return splitEntries(text, fieldNames);
  } catch (error) {
    throw error instanceof EntryProblem ? new EntryProblem(form) : error;
  }
}

function fieldsOf(entry: Entry, { host }: URL) {
  const resourceId = single(entry, "resource-id", host);
  if (resourceId !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(resourceId)) {
    throw new EntryProblem(`must give ${host} a resource-id that is its immutable id, a GUID`);
  }
  return {
    resourceId: resourceId?.toLowerCase(),
    weight: number(entry, "weight", host, 0, maxWeight),
    rateLimit: number(entry, "rate-limit", host, 1, maxRateLimit),
  };
}

function isBase64(value: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(value) && value.length % 4 === 0;
}
