/** The explorer's page: GraphiQL, with the quickstart in its tabs and the development key in its headers. */
import { GraphiQL } from "graphiql";
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./style.css";
import { createRoot } from "react-dom/client";
import { fetcherFor } from "./fetcher";
import { IdentityFiller } from "./identity-filler";
import { readSettings, type Settings } from "./settings";
import { storage } from "./storage";
import { tabsFor } from "./tabs";

const element = document.getElementById("root");
if (!element) throw new Error("The page has no #root.");
const root = createRoot(element);

function Explorer({ endpoint, operations, headers }: Settings) {
  const hasKey = Object.keys(headers).length > 0;
  const defaultHeaders = JSON.stringify(hasKey ? headers : { "x-api-key": "" }, null, 2);
  return (
    <GraphiQL
      fetcher={fetcherFor(endpoint)}
      storage={storage}
      shouldPersistHeaders={false}
      showPersistHeadersSettings={false}
      defaultHeaders={defaultHeaders}
      defaultTabs={tabsFor(operations, defaultHeaders)}
      defaultEditorToolsVisibility={hasKey ? "variables" : "headers"}
    >
      <GraphiQL.Logo>
        <IdentityFiller />
        <span className="product">
          ACS Token Gateway <small>{location.host}</small>
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
