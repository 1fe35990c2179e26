/** Asks an emulator whether a token is still good; Azure itself has no such question. */

/** `alive` or `dead`; undefined when no emulator answers there, or the token is not its own. */
export async function askEmulator(emulator: string, token: string): Promise<"alive" | "dead" | undefined> {
  try {
    const response = await fetch(new URL("/_emulator/introspect", emulator), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
      signal: AbortSignal.timeout(2_000),
    });
    if (!response.ok) return undefined;
    const { active, reason } = (await response.json()) as { active?: boolean; reason?: string };
    if (active) return "alive";
    return reason === "revoked" ? "dead" : undefined;
  } catch {
    return undefined;
  }
}
