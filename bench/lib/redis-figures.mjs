/** What Redis itself counts: its scripts' calls and times, its memory. */

/** Begins to count commands anew. */
export async function resetFigures({ client }) {
  await client.config("RESETSTAT");
}

/** Calls of scripts since then, and the microseconds of each, measured inside of Redis. What scripts call is part of them. */
export async function scriptFigures({ client }) {
  const info = await client.info("commandstats");
  const found = [...info.matchAll(/^cmdstat_(?:evalsha|eval|fcall)(?:_ro)?:calls=(\d+),usec=(\d+)/gm)];
  const sum = (index) => found.reduce((total, match) => total + Number(match[index]), 0);
  return { calls: sum(1), microseconds: sum(2) / sum(1) };
}

/** Bytes that Redis has in use for data. */
export async function usedMemory({ client }) {
  return Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))[1]);
}
