/** Takes out of a text what is secret: what looks like a secret, and what is known to be one. */

/** What a text that has it contains, its pattern, and what stands in its place. No pattern looks at a part of the text again and again. */
type Secret = readonly [
  marks: readonly string[],
  pattern: RegExp,
  replacement: (found: string, kept: string) => string,
];

/** In the place of a secret; what comes before it stays. */
const instead = (word: string) => (_found: string, kept: string) => kept + word;

const secrets: readonly Secret[] = [
  // JSON Web Tokens, signed or encrypted: ACS's, Entra's, and those of users.
  [["eyJ"], /[\w-]+(?:\.[\w-]*)*/g, withoutToken],
  // User and password in URLs, also a password with an @ that should have been encoded.
  [["@"], /(:\/\/)[^/\s"]+@/g, instead("[credentials]@")],
  // Headers, parts of connection strings, settings and form fields, by their names.
  [
    [
      "ey=",
      "EY=",
      "uthorization",
      "pi-key",
      "pi_key",
      "pikey",
      "assword",
      "ASSWORD",
      "ecret",
      "ignature=",
      "sig=",
    ],
    /((?:accesskey|authorization|api[-_]?key|password|client[-_]?secret|signature|\bsig)[\\"']*\s*[=:]\s*[\\"']*(?:(?:bearer|basic|hmac-sha256) +)?)[^\s"'\\,;&[]+/gi,
    instead("[key]"),
  ],
  [["earer "], /\b(bearer +)[\w.~+/=-]{16,}/gi, instead("[token]")],
  [
    ["PRIVATE KEY"],
    /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-"]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g,
    () => "[key]",
  ],
  // 32 bytes in base64, as encryption keys are: there is nothing else of that form in the log.
  [["="], /(?<![\w+/=])[A-Za-z0-9+/]{43}=(?!=)/g, () => "[key]"],
];

/** Words with dots between them, from the first on that can be a token's header: two at least, or there is no token. */
function withoutToken(words: string): string {
  let at = 0;
  for (const word of words.split(".").slice(0, -1)) {
    const start = word.indexOf("eyJ");
    if (start >= 0 && word.length - start >= 8) return `${words.slice(0, at + start)}[token]`;
    at += word.length + 1;
  }
  return words;
}

/** `text` with everything that looks like a secret replaced. */
export function scrub(text: string): string {
  let clean = text;
  for (const [marks, pattern, replacement] of secrets) {
    // Nearly every line has none of them, and to look for a mark is far quicker than a pattern.
    if (hasOne(clean, marks)) clean = clean.replace(pattern, replacement);
  }
  return clean;
}

/** Shorter ones would be found everywhere. */
const shortest = 6;

/**
 * {@link scrub}, and after it exactly these, in whatever form: as they are, percent-encoded, and as JSON writes them.
 * That needs no pattern to know them by.
 */
export function scrubber(known: readonly string[]): (text: string) => string {
  const forms = known
    .filter(({ length }) => length >= shortest)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  const exact = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = scrub(text);
    for (const secret of exact) if (clean.includes(secret)) clean = clean.replaceAll(secret, "[secret]");
    return clean;
  };
}

function hasOne(text: string, marks: readonly string[]): boolean {
  for (const mark of marks) if (text.includes(mark)) return true;
  return false;
}
