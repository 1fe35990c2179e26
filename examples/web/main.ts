/** The example's app: signs in, gets a token, and does what its buttons say. */
import type { TokenScope } from "acs-token-gateway/client";
import { Session, type Caller, type Wish } from "./session";
import { readSettings } from "./settings";
import { openDoor } from "./sign-in";
import { element, time, View } from "./view";

const view = new View();

start().catch((error: unknown) => {
  view.show(undefined);
  element("welcome").append(paragraph(`That did not work: ${textOf(error)}`));
});

async function start(): Promise<void> {
  const settings = await readSettings();
  const door = await openDoor(settings);
  element("sign-in").addEventListener("click", () => void door.signIn());
  view.show(door.arrived?.name);
  const { arrived } = door;
  if (!arrived) return;
  const caller = { endpoint: settings.endpoint, authorization: () => arrived.authorization() };
  let session = begin(caller);
  const act = (id: string, what: () => Promise<void>) => {
    element(id).addEventListener("click", () => void attempt(id, what));
  };
  act("again", () => session.askAgain());
  act("force", () => session.renew());
  act("revoke", async () => {
    const effectiveBy = await session.revoke();
    view.happened("You revoked all tokens", "REVOKED");
    view.message(
      `Revoked. ACS refuses the old tokens everywhere by ${time(effectiveBy)}; the gateway does from now on.`,
    );
  });
  element("wish").addEventListener("submit", (event) => {
    event.preventDefault();
    session.end();
    session = begin(caller);
  });
  element("sign-out").addEventListener("click", () => {
    session.end();
    void arrived.signOut();
  });
}

/** Runs what a button does, once at a time, and tells what went wrong. */
async function attempt(id: string, what: () => Promise<void>): Promise<void> {
  if (element(id).getAttribute("aria-disabled") === "true") return;
  view.busy(true);
  view.message("");
  try {
    await what();
  } catch (error) {
    view.message(textOf(error), "bad");
  } finally {
    view.busy(false);
  }
}

function begin(caller: Caller): Session {
  view.state("waiting", "Asking…");
  const session = new Session(caller, wished(), {
    onToken: (issued, tookMs) => {
      view.token(issued);
      view.happened("Got a token", issued.source, tookMs);
    },
    onFailure: (error, retry) => {
      view.state("failed", retry ? "Trying again" : "No token");
      view.happened(error.message, error.code);
    },
    onRevoked: () => {
      view.state("revoked", "Revoked");
      view.happened("Told of a revocation", "REVOKED");
    },
  });
  void attempt("again", async () => {
    await session.credential();
  });
  return session;
}

function wished(): Wish {
  const form = new FormData(element("wish") as HTMLFormElement);
  const device = form.get("device");
  return {
    scopes: form.getAll("scope") as TokenScope[],
    minutes: Number(form.get("minutes")),
    device: typeof device === "string" && device !== "" ? device : undefined,
  };
}

function paragraph(text: string): HTMLParagraphElement {
  const made = document.createElement("p");
  made.className = "message";
  made.dataset.kind = "bad";
  made.setAttribute("role", "alert");
  made.textContent = text;
  return made;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
