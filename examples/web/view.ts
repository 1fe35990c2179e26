/** What is on the page: writes into the elements of index.html, and knows nothing of tokens but what to show. */
import type { IssuedToken } from "acs-token-gateway/client";

/** The credential renews a token so long before its end (`@azure/communication-common`). */
const renewsBeforeMs = 10 * 60_000;
const historyLength = 8;

/** An element of index.html. */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no element ${id}.`);
  return found;
}

/** Shows a token, how long it is still good, and what happened. */
export class View {
  #issued: IssuedToken | undefined;
  #since = 0;

  constructor() {
    setInterval(() => {
      this.#tick();
    }, 250);
  }

  /** Either the welcome or the app, for somebody. */
  show(name: string | undefined): void {
    element("welcome").hidden = name !== undefined;
    element("app").hidden = name === undefined;
    element("person").hidden = name === undefined;
    element("name").textContent = name ?? "";
  }

  token(issued: IssuedToken): void {
    this.#issued = issued;
    this.#since = Date.now();
    const { token, identityId, scopes, source, expiresOn } = issued;
    element("identity").textContent = identityId;
    // Enough to see that it is another one, and to no use for anything else.
    element("token").textContent = `${token.slice(0, 6)}…${token.slice(-6)}`;
    element("scopes").replaceChildren(...scopes.map((scope) => chip(scope)));
    element("source").replaceChildren(
      chip(source, source.toLowerCase()),
      source === "CACHE" ? " the gateway had it" : " Azure issued it just now",
    );
    element("expires-at").textContent = time(expiresOn);
    this.state("good", "Good");
    this.#tick();
  }

  state(state: "waiting" | "good" | "revoked" | "failed", text: string): void {
    const shown = element("state");
    shown.dataset.state = state;
    shown.textContent = text;
  }

  message(text: string, kind: "calm" | "bad" = "calm"): void {
    const shown = element("message");
    shown.dataset.kind = kind;
    shown.textContent = text;
  }

  /** While something is under way, nothing else can be begun. */
  busy(isBusy: boolean): void {
    for (const id of ["again", "force", "revoke"]) {
      // Not `disabled`, which would take the focus from whoever uses the keyboard.
      element(id).setAttribute("aria-disabled", String(isBusy));
    }
  }

  happened(what: string, result: string, tookMs?: number): void {
    const row = document.createElement("tr");
    const took = tookMs === undefined ? "" : `${Math.max(1, Math.round(tookMs))} ms`;
    row.append(
      cell(time(new Date())),
      cell(what),
      cell(chip(result, result.toLowerCase())),
      cell(took, "number"),
    );
    const history = element("history");
    history.prepend(row);
    while (history.children.length > historyLength) history.lastElementChild?.remove();
  }

  #tick(): void {
    if (!this.#issued) return;
    const now = Date.now();
    const end = this.#issued.expiresOn.getTime();
    const renewal = end - renewsBeforeMs;
    element("refresh-in").textContent = duration(renewal - now);
    element("expires-in").textContent = duration(end - now);
    const left = Math.max(0, Math.min(1, (renewal - now) / Math.max(1, renewal - this.#since)));
    element("bar").style.setProperty("--left", String(left));
  }
}

function chip(text: string, kind = ""): HTMLSpanElement {
  const made = document.createElement("span");
  made.className = `chip ${kind}`;
  // Long codes may break after their underscores.
  made.append(...text.split(/(?<=_)/).flatMap((part) => [part, document.createElement("wbr")]));
  return made;
}

function cell(content: string | Node, className = ""): HTMLTableCellElement {
  const made = document.createElement("td");
  made.className = className;
  made.append(content);
  return made;
}

/** Without AM and PM, whatever the language: the columns are narrow. */
export function time(date: Date): string {
  return date.toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
}

/** Hours, minutes and seconds; nothing below zero. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const parts = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
