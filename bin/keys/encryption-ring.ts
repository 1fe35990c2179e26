/** The text of a file of encryption keys, and the three steps in which its sealing key is changed safely. */
import { randomBytes } from "node:crypto";
import { parseEncryptionKeys, type EncryptionKey } from "../../src/services/tokens/encryption-keys";
import { StartupError } from "../../src/startup-error";
import type { KeyFileKind, KeyText } from "./key-file";
import type { Step } from "./step";

/** How the gateway reads such a file. */
export const encryptionKeyFile: KeyFileKind<readonly EncryptionKey[]> = {
  what: "encryption keys",
  parse: parseEncryptionKeys,
};

/** Nothing that a key sealed lives longer: ACS tokens live a day at most. */
const sealedLivesMs = 24 * 3_600_000;

/** How a step is taken. */
export interface StepOptions {
  /** How long it takes until every gateway has read the file. */
  readonly settleMs: number;
  /** Do not wait: for a key that has leaked. */
  readonly force: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What a step made of the file. */
export interface Turned {
  readonly text: string;
  /** What was done, or why nothing was, and what comes next: sentences for the operator. */
  readonly told: readonly string[];
  /** Nothing was done, because it is too early. */
  readonly early: boolean;
}

/** A new entry: an id that no key of `others` has, and 32 random bytes. */
export function makeEncryptionKey(others: readonly Pick<EncryptionKey, "id">[] = []): {
  id: string;
  entry: string;
} {
  const id = randomBytes(4).toString("hex");
  if (others.some((key) => key.id === id)) return makeEncryptionKey(others);
  return { id, entry: `${id}:${randomBytes(32).toString("base64")}` };
}

/**
 * Takes a step: `add` puts a new key at the end, which all can open with then; `promote` makes it the first, which
 * seals; `retire` takes the last one out once nothing that it sealed can live. Without a step, the one that is due.
 * Notes beside the keys say since when they are what they are. Throws `StartupError` when the step makes no sense.
 */
export function turn(
  { text, changedAt }: Pick<KeyText<unknown>, "text" | "changedAt">,
  step: Step | undefined,
  options: StepOptions,
): Turned {
  const ring = read(text, changedAt);
  const due = step ?? dueStep(ring);
  const turned = act[due](ring, options);
  if (step !== undefined && turned.early) throw new StartupError(turned.told.join(" "));
  return { ...turned, text: turned.early ? text : write(ring.before, turned.keys) };
}

/** A key's entry as it stands, and what the note beside it says. */
interface Key {
  readonly id: string;
  readonly entry: string;
  readonly note: Note | undefined;
}
interface Note {
  readonly is: "added" | "sealing since" | "sealed until";
  readonly at: number;
}
interface Ring {
  readonly keys: readonly Key[];
  /** Comments on lines of their own, which stay at the top. */
  readonly before: readonly string[];
  readonly changedAt: number;
}
interface Acted {
  readonly keys: readonly Key[];
  readonly told: readonly string[];
  readonly early: boolean;
}

const act: Readonly<Record<Step, (ring: Ring, options: StepOptions) => Acted>> = { add, promote, retire };

function add({ keys }: Ring, { now, settleMs }: StepOptions): Acted {
  const waiting = keys.find(({ note }) => note?.is === "added");
  if (waiting) {
    throw new StartupError(`Key ${waiting.id} was added already, and does not seal yet: --step promote.`);
  }
  const { id, entry } = makeEncryptionKey(keys);
  return {
    keys: [...keys, { id, entry, note: { is: "added", at: now } }],
    told: [
      `Added key ${id} at the end: gateways that have read the file can open what it will seal.`,
      `Next: --step promote, not before ${time(now + settleMs)}, when all of them have.`,
    ],
    early: false,
  };
}

function promote({ keys, changedAt }: Ring, { now, settleMs, force }: StepOptions): Acted {
  const last = keys.at(-1);
  const [first] = keys;
  if (!last || !first || last === first || last.note?.is === "sealed until") {
    throw new StartupError("No key was added that could seal: --step add first.");
  }
  const ready = (last.note?.at ?? changedAt) + settleMs;
  if (now < ready && !force) {
    return {
      keys,
      told: [
        `Too early: key ${last.id} seals not before ${time(ready)}, so that every gateway can open what it seals.`,
      ],
      early: true,
    };
  }
  const others = keys
    .slice(0, -1)
    .map((key) =>
      key === first ? { ...key, note: { is: "sealed until", at: now + settleMs } as const } : key,
    );
  const safe = now + settleMs + sealedLivesMs;
  return {
    keys: [{ ...last, note: { is: "sealing since", at: now } }, ...others],
    told: [
      `Key ${last.id} is the first now, and seals. Key ${first.id} opens what it sealed.`,
      `Next: --step retire, not before ${time(safe)}, when nothing is left of that.`,
    ],
    early: false,
  };
}

function retire({ keys, changedAt }: Ring, { now, settleMs, force }: StepOptions): Acted {
  const last = keys.at(-1);
  if (!last || keys.length < 2) throw new StartupError("There is one key, which seals: --step add first.");
  if (last.note?.is === "added") {
    throw new StartupError(`Key ${last.id} was added and has not sealed yet: --step promote.`);
  }
  // Without a note, it has not sealed since the file was changed last.
  const safe = (last.note?.is === "sealed until" ? last.note.at : changedAt + settleMs) + sealedLivesMs;
  if (now < safe && !force) {
    return {
      keys,
      told: [
        `Too early: what key ${last.id} sealed may live until ${time(safe)}. A key that has leaked goes at once with --force; what it sealed is issued anew then.`,
      ],
      early: true,
    };
  }
  return { keys: keys.slice(0, -1), told: [`Took key ${last.id} out. The rotation is done.`], early: false };
}

/** The step that the notes say is next. */
function dueStep({ keys }: Ring): Step {
  if (keys.length < 2) return "add";
  const last = keys.at(-1);
  if (last?.note?.is === "added") return "promote";
  if (last?.note?.is === "sealed until") return "retire";
  throw new StartupError(
    `Nothing says whether key ${last?.id ?? ""}, the last one, was added or is the old one: give the --step.`,
  );
}

const noteForm = /\s# (added|sealing since|sealed until) (\d{4}-\d\d-\d\dT[\d:.]+Z)\s*$/;

function read(text: string, changedAt: number): Ring {
  const before: string[] = [];
  const keys: Key[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [body = ""] = line.split(/(?:^|\s)#/);
    const entries = body
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
    if (entries.length === 0) {
      if (line.trim() !== "") before.push(line);
      continue;
    }
    const [, is, at] = noteForm.exec(line) ?? [];
    const note =
      is === undefined || entries.length > 1
        ? undefined
        : { is: is as Note["is"], at: Date.parse(at ?? "") || changedAt };
    const foreign = note ? "" : line.slice(body.length).trim();
    if (foreign !== "") before.push(foreign);
    for (const entry of entries) keys.push({ id: entry.split(":")[0] ?? "", entry, note });
  }
  return { keys, before, changedAt };
}

function write(before: readonly string[], keys: readonly Key[]): string {
  const lines = keys.map(({ entry, note }) => (note ? `${entry} # ${note.is} ${time(note.at)}` : entry));
  return `${[...before, ...lines].join("\n")}\n`;
}

function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
