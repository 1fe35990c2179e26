/** The official SDK's client with connections of its own. The only importer of @azure/communication-identity. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import {
  CommunicationIdentityClient,
  type CommunicationIdentityClientOptions,
} from "@azure/communication-identity";
import { AzureKeyCredential, type TokenCredential } from "@azure/core-auth";

/** Which ACS resource, and as whom. */
export interface AcsClientOptions {
  /** `https://<resource>.communication.azure.com`; plain http is for an emulator on this machine. */
  readonly endpoint: string;
  /** The resource's access key (base64), or an Entra credential. */
  readonly credential: { readonly accessKey: string } | TokenCredential;
  /** The most connections to the resource at once. */
  readonly maxSockets: number;
  /** Leave connecting to the SDK, which then honours `HTTPS_PROXY`, without a bound on connections. */
  readonly throughProxy?: boolean | undefined;
  /** A certificate authority (PEM) to trust instead of the system's, for an emulator over TLS. */
  readonly ca?: string | undefined;
}

/** A step of the SDK's HTTP pipeline. */
export type AcsPolicy = NonNullable<CommunicationIdentityClientOptions["additionalPolicies"]>[number];

/** The SDK's client, and the agent that keeps its connections until it is destroyed. */
export interface AcsClient {
  readonly client: CommunicationIdentityClient;
  readonly agent: HttpAgent;
}

/** One long-lived client. It never retries: the SDK would repeat creates, and wait out any Retry-After. */
export function acsClient(
  { endpoint, credential, maxSockets, throughProxy = false, ca }: AcsClientOptions,
  additionalPolicies: AcsPolicy[] = [],
): AcsClient {
  const isSecure = endpoint.startsWith("https:");
  const sockets = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets };
  const agent = isSecure
    ? new HttpsAgent(ca === undefined ? sockets : { ...sockets, ca })
    : new HttpAgent(sockets);
  const options: CommunicationIdentityClientOptions = {
    allowInsecureConnection: !isSecure,
    retryOptions: { maxRetries: 0 },
    userAgentOptions: { userAgentPrefix: "acs-token-gateway" },
    additionalPolicies,
    ...(throughProxy ? {} : { agent }),
  };
  const client =
    "accessKey" in credential
      ? new CommunicationIdentityClient(endpoint, new AzureKeyCredential(credential.accessKey), options)
      : new CommunicationIdentityClient(endpoint, credential, options);
  return { client, agent };
}
