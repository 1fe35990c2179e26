/** The explorer's page, as its tests use it. */
import type { Page } from "playwright-core";
import { until } from "../../support/browser";
import { developmentKey } from "../../support/world";

export interface Answer {
  readonly data: Record<string, { identity: { id: string }; accessToken: { token: string } }>;
}

/** The link to the explorer that a gateway with the tests' development key prints. */
export function explorerLink(origin: string): string {
  return `${origin}/explorer#key=${encodeURIComponent(developmentKey)}`;
}

/** Opens the explorer by its link, and waits until it can be used. */
export async function showExplorer(page: Page, origin: string): Promise<void> {
  await page.goto(explorerLink(origin));
  await explorerReady(page);
}

/** Waits until the editors are there and have coloured the first operation. */
export async function explorerReady(page: Page): Promise<void> {
  await until(
    page,
    `new Set([...document.querySelectorAll(".graphiql-query-editor .view-line span span")]
      .map((span) => getComputedStyle(span).color)).size > 3`,
  );
}

/** Clicks Run and resolves with the gateway's answer. */
export async function runOperation(page: Page, origin: string): Promise<Answer> {
  const answered = page.waitForResponse(
    (response) =>
      response.url() === `${origin}/graphql` &&
      !response.request().postData()?.includes("IntrospectionQuery"),
  );
  await page.getByRole("button", { name: /^Execute query/ }).click();
  return (await (await answered).json()) as Answer;
}

/** Waits until the answer's pane shows `text`. The editor breaks lines and keeps them in no order. */
export async function showsAnswer(page: Page, text: string): Promise<void> {
  await until(
    page,
    `[...document.querySelectorAll(".graphiql-response .view-line")]
      .sort((one, other) => parseFloat(one.style.top) - parseFloat(other.style.top))
      .map((line) => line.textContent).join("").replace(/\\s/g, "").includes(${JSON.stringify(text)})`,
  );
}
