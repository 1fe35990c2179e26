/** Makes a text that somebody else has chosen short enough to show. */

/** The text itself if it has at most `max` characters, else its beginning and an ellipsis: `max` characters together. */
export function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
