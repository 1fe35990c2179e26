/** Where GraphiQL keeps things: looks last, contents do not, since variables and headers can hold tokens and keys. */

/** What of GraphiQL's keys may be written to the browser's storage. */
const kept = new Set(["graphiql:theme", "graphiql:docExplorerFlex", "graphiql:editorFlex"]);

const memory = new Map<string, string>();

/** A storage for GraphiQL: the theme and the panes' sizes in the browser's, all else until the page is left. */
export const storage = {
  getItem: (key: string): string | null =>
    kept.has(key) ? localStorage.getItem(key) : (memory.get(key) ?? null),
  setItem(key: string, value: string): void {
    if (kept.has(key)) localStorage.setItem(key, value);
    else memory.set(key, value);
  },
  removeItem(key: string): void {
    if (kept.has(key)) localStorage.removeItem(key);
    else memory.delete(key);
  },
  clear(): void {
    memory.clear();
    for (const key of kept) localStorage.removeItem(key);
  },
  get length(): number {
    return memory.size;
  },
};
