/** The page: takes a key, scrapes the gateway every few seconds, and shows what it reads. */
import { Chart } from "./chart";
import { charts as chartOptions } from "./charts";
import { byId, setAttribute, setText } from "./dom";
import { span, time } from "./format";
import { fetchMetrics, forgetKey, keepKey, takeKey, type Outcome } from "./gateway-metrics";
import { metricsParser } from "./metrics-text";
import { lastPeriod, Period, type Scrape } from "./period";
import { showTables } from "./tables";
import { showTiles } from "./tiles";

const everyMs = 3_000;
/** What tiles and points of charts are of, and what tables are of, in seconds. */
const [short, long] = [60, 300];

const form = byId("sign-in");
const field = byId("key") as HTMLInputElement;
const problem = byId("key-problem");
const page = byId("status");
const controls = byId("controls");
const connection = byId("connection");
const outage = byId("outage");

const parse = metricsParser();
const tiles = showTiles(byId("tiles"));
const tables = showTables(byId("tables"));
const charts = chartOptions.map((options) => new Chart(options));
byId("charts").append(...charts.map(({ element }) => element));

let key: string | undefined;
let scrapes: Scrape[] = [];
/** When the gateway first did not answer, if it does not. */
let silentSince: number | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
/** Changes with the key: outcomes of earlier requests are dropped. */
let round = 0;

/** Scrapes now and then regularly, until the key is refused or the page is out of sight. */
async function scrape(): Promise<void> {
  clearTimeout(timer);
  if (key === undefined) return;
  const mine = ++round;
  const outcome = await fetchMetrics(key);
  if (mine !== round) return;
  const waitMs = handle(outcome);
  if (waitMs !== undefined && !document.hidden) timer = setTimeout(() => void scrape(), waitMs);
}

/** Returns after how many milliseconds to scrape again. */
function handle(outcome: Outcome): number | undefined {
  switch (outcome.kind) {
    case "metrics":
      show(outcome.text);
      // Rates need two scrapes: the second comes soon.
      return scrapes.length < 2 ? 1_000 : everyMs;
    case "refused":
      signOut(outcome.message);
      return undefined;
    case "failed":
      fail(outcome.message);
      return outcome.retryAfterSeconds === undefined ? everyMs : outcome.retryAfterSeconds * 1_000;
  }
}

function show(text: string): void {
  const at = Date.now();
  scrapes.push({ at, samples: parse(text) });
  // One more than the longest period needs, so that it is whole.
  while (scrapes.length > 2 && (scrapes[1]?.at ?? at) < at - long * 1_000 - everyMs) scrapes.shift();
  form.hidden = true;
  page.hidden = controls.hidden = false;
  silentSince = undefined;
  setAttribute(page, "data-stale", "false");
  setText(outage, "");
  setText(connection, "Live");
  const minute = lastPeriod(scrapes, short);
  const minutes = lastPeriod(scrapes, long);
  const now = minute ?? only(scrapes[0]);
  if (now) setText(byId("about"), about(now, at));
  if (!minute || !minutes) return;
  tiles(minute);
  tables(minutes);
  for (const chart of charts) chart.add(at, minute);
}

function only(scrape: Scrape | undefined): Period | undefined {
  return scrape && new Period(scrape, scrape);
}

function about(now: Period, at: number): string {
  const { version, node } = now.series("build_info")[0]?.labels ?? {};
  const started = now.now("process_start_time_seconds");
  return [
    location.host,
    ...(version === undefined ? [] : [`version ${version}`]),
    ...(node === undefined ? [] : [`Node.js ${node}`]),
    ...(started === null ? [] : [`up for ${span(at / 1_000 - started)}`]),
  ].join(" · ");
}

/** Keeps what is shown, and says how old it is. */
function fail(message: string): void {
  const last = scrapes.at(-1);
  silentSince ??= Date.now();
  if (!last) {
    form.hidden = false;
    setText(problem, `${message}. The page tries again every few seconds.`);
    return;
  }
  setText(connection, "No connection");
  setAttribute(page, "data-stale", "true");
  setText(
    outage,
    `${message} since ${time(silentSince)}. Figures are from ${time(last.at)}; the page keeps trying.`,
  );
  for (const chart of charts) chart.add(Date.now(), undefined);
}

function signIn(given: string): void {
  key = given;
  keepKey(given);
  setText(problem, "");
  void scrape();
}

/** Forgets the key. */
function signOut(why = ""): void {
  key = undefined;
  forgetKey();
  round++;
  clearTimeout(timer);
  scrapes = [];
  page.hidden = controls.hidden = true;
  form.hidden = false;
  setText(byId("about"), "Status");
  setText(problem, why);
  setAttribute(field, "aria-invalid", String(why !== ""));
  field.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = field.value.trim();
  field.value = "";
  if (given !== "") signIn(given);
});
byId("sign-out").addEventListener("click", () => {
  signOut();
});
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#key=")) start();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void scrape();
});

function start(): void {
  const known = takeKey();
  if (known === undefined) signOut();
  else signIn(known);
}

start();
