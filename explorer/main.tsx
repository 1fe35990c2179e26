/** The explorer's page: GraphiQL, with the quickstart in its tabs and the key of the link that opened it in its headers. */
import { GraphiQL } from "graphiql";
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./style.css";
import { createRoot } from "react-dom/client";
import { fetcherFor } from "./fetcher";
import { IdentityFiller } from "./identity-filler";
import { takeLinkedKey } from "./linked-key";
import { readSettings, type Settings } from "./settings";
import { storage } from "./storage";
import { tabsFor } from "./tabs";

const element = document.getElementById("root");
if (!element) throw new Error("The page has no #root.");
const root = createRoot(element);

const linkedKey = takeLinkedKey();
// Another link was opened in this tab.
addEventListener("hashchange", () => {
  if (new URLSearchParams(location.hash.slice(1)).has("key")) location.reload();
});

function Explorer({ endpoint, operations }: Settings) {
  const defaultHeaders = JSON.stringify({ "x-api-key": linkedKey ?? "" }, null, 2);
  return (
    <GraphiQL
      fetcher={fetcherFor(endpoint)}
      storage={storage}
      shouldPersistHeaders={false}
      showPersistHeadersSettings={false}
      defaultHeaders={defaultHeaders}
      defaultTabs={tabsFor(operations, defaultHeaders)}
      defaultEditorToolsVisibility={linkedKey === undefined ? "headers" : "variables"}
    >
      <GraphiQL.Logo>
        <IdentityFiller />
        <span className="product">
          ACS Token Gateway <small>{location.host}</small>
          {linkedKey === undefined && (
            <small className="hint">
              Fill in a key under Headers, or open the link that the gateway printed at its start.
            </small>
          )}
        </span>
      </GraphiQL.Logo>
    </GraphiQL>
  );
}

readSettings().then(
  (settings) => {
    root.render(<Explorer {...settings} />);
  },
  (error: unknown) => {
    root.render(<p className="failure">{error instanceof Error ? error.message : String(error)}</p>);
  },
);
