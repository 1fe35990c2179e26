/** The process's Entra identity, for resources that are used without an access key. The only importer of @azure/identity. */
import type { TokenCredential } from "@azure/core-auth";

/**
 * `DefaultAzureCredential`: environment, workload identity, managed identity, Azure CLI, in Azure's own order. Loaded
 * only here, because the package costs a good part of a second.
 */
export async function defaultAzureCredential(): Promise<TokenCredential> {
  const { DefaultAzureCredential } = await import("@azure/identity");
  return new DefaultAzureCredential();
}
