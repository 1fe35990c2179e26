/** The page: signs in, asks every few seconds, and shows what the gateway says. */
import { byId, children, el, setAttribute, setText } from "./dom";
import { ask, developmentKey, type Outcome, type View } from "./feed";
import { span, time } from "./format";
import { cards, charts, tables, tiles } from "./panels";
import type { Status } from "./status";

const everyMs = 3_000;

const form = byId("sign-in");
const field = byId("key") as HTMLInputElement;
const problem = byId("key-problem");
const page = byId("status");
const controls = byId("controls");
const pause = byId("pause");
const connection = byId("connection");
const concerns = byId("concerns");

const panels = [
  ...placed("tiles", tiles()),
  ...placed("charts", charts()),
  ...placed("tables", tables()),
  ...placed("cards", cards()),
];

/** In this variable and nowhere else: whatever reads the browser's storages later finds no key there. */
let key: string | undefined;
let isPaused = false;
let lastAt: number | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
/** Answers to questions from before something was changed are dropped. */
let round = 0;

function placed<T extends { readonly element: Element }>(id: string, made: readonly T[]): readonly T[] {
  byId(id).append(...made.map(({ element }) => element));
  return made;
}

function view(): View {
  const chosen = (name: string) =>
    document.querySelector<HTMLInputElement>(`input[name=${name}]:checked`)?.value;
  return {
    scope: chosen("scope") === "own" ? "own" : "fleet",
    span: chosen("span") === "long" ? "long" : "short",
  };
}

/** Asks now, and again and again from then on. */
async function refresh(): Promise<void> {
  clearTimeout(timer);
  if (key === undefined) return;
  const mine = ++round;
  const outcome = await ask(key, view());
  if (mine !== round) return;
  const waitMs = take(outcome);
  if (waitMs !== undefined && !isPaused && !document.hidden) timer = setTimeout(() => void refresh(), waitMs);
}

/** Shows what came; returns when to ask again. */
function take(outcome: Outcome): number | undefined {
  switch (outcome.kind) {
    case "status":
      show(outcome.status);
      return everyMs;
    case "refused":
      signOut(outcome.why);
      return undefined;
    case "wait":
      tell(`Too many requests: the next in ${span(outcome.seconds)}.`);
      return outcome.seconds * 1_000;
    case "silent":
      tell(outcome.why);
      return everyMs;
  }
}

function show(status: Status): void {
  lastAt = Date.now();
  if (page.hidden) {
    const isSigningIn = !form.hidden;
    form.hidden = true;
    page.hidden = controls.hidden = false;
    if (isSigningIn) pause.focus();
  }
  tell(undefined);
  const { gateway, at } = status;
  setText(
    byId("about"),
    `Status of ${gateway.host} · version ${gateway.version} · up for ${span((at - gateway.startedAt) / 1_000)}`,
  );
  showConcerns(status);
  for (const panel of panels) panel.show(status);
}

function showConcerns({ concerns: list }: Status): void {
  const said = list.length > 0 ? list : [{ level: "well", text: "All is well." } as const];
  const words = { trouble: "Trouble", notice: "Notice", well: "" };
  const items = children(concerns, said.length, () => el("li", {}, el("strong"), el("span")));
  for (const [index, item] of items.entries()) {
    const { level, text } = said[index] ?? { level: "well", text: "" };
    setAttribute(item, "class", level);
    const [kind, what] = item.children;
    if (kind) setText(kind, words[level]);
    if (what) setText(what, text);
  }
}

/** Says how the connection is: undefined when it is well. */
function tell(why: string | undefined): void {
  const since = lastAt === undefined ? "" : ` Figures are those of ${time(lastAt)}.`;
  const words = why ?? (isPaused ? "Paused." : "Live.");
  const isStale = why !== undefined || isPaused;
  setAttribute(
    connection,
    "class",
    `connection ${why === undefined ? (isPaused ? "paused" : "live") : "broken"}`,
  );
  setText(connection, words + (isStale ? since : ""));
  setAttribute(page, "data-stale", String(why !== undefined));
  if (page.hidden && why !== undefined) setText(problem, why);
}

function signIn(given: string): void {
  key = given;
  setText(problem, "");
  void refresh();
}

/** Forgets the key and what it has shown. */
function signOut(why = ""): void {
  key = undefined;
  round++;
  clearTimeout(timer);
  page.hidden = controls.hidden = true;
  form.hidden = false;
  setText(byId("about"), "Status");
  setText(problem, why);
  setAttribute(field, "aria-invalid", String(why !== ""));
  field.focus();
}

function setPaused(paused: boolean): void {
  isPaused = paused;
  setAttribute(pause, "aria-pressed", String(paused));
  setText(pause, paused ? "Go on" : "Pause");
  if (!paused) {
    void refresh();
    return;
  }
  clearTimeout(timer);
  tell(undefined);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = field.value.trim();
  field.value = "";
  if (given !== "") signIn(given);
});
pause.addEventListener("click", () => {
  setPaused(!isPaused);
});
byId("sign-out").addEventListener("click", () => {
  signOut();
});
for (const choice of document.querySelectorAll("fieldset input")) {
  choice.addEventListener("change", () => void refresh());
}
// Nobody looks: nothing is asked.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !isPaused) void refresh();
});

const given = await developmentKey();
if (given === undefined) signOut();
else signIn(given);
