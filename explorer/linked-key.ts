/** The development key in the fragment of the link that the gateway printed at its start: `#key=…`. */

/**
 * Takes the key out of the page's address, so that it stays in this page's memory alone. A fragment is never sent: no
 * server, proxy or log sees it. Undefined when the page was opened without it.
 */
export function takeLinkedKey(): string | undefined {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key === null) return undefined;
  history.replaceState(null, "", location.pathname + location.search);
  return key === "" ? undefined : key;
}
