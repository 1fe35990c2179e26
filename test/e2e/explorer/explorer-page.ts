/** The explorer's page, as its tests use it. */
import type { Page } from "playwright-core";
import { until } from "../../support/browser";

export interface Answer {
  readonly data: Record<string, { identity: { id: string }; accessToken: { token: string } }>;
}

/** Opens the explorer and waits until its editors are there and have coloured the first operation. */
export async function showExplorer(page: Page, origin: string): Promise<void> {
  await page.goto(`${origin}/explorer`);
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
