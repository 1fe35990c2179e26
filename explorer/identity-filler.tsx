/** Fills the identity that was named last into the variables of the tab that is open. */
import { useGraphiQL } from "@graphiql/react";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { fillIn, lastIdentity, onIdentity } from "./identity";

/** Shows nothing. Stands inside GraphiQL to follow its tabs; an answer may come after its tab was left. */
export function IdentityFiller() {
  const tabId = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);
  const editor = useGraphiQL((state) => state.variableEditor);
  const identity = useSyncExternalStore(onIdentity, lastIdentity);
  const filled = useRef(new Map<string, string | undefined>());
  useEffect(() => {
    if (!editor || tabId === undefined) return;
    const variables = fillIn(editor.getValue(), identity, filled.current.get(tabId));
    if (variables === undefined) return;
    filled.current.set(tabId, identity);
    editor.setValue(variables);
  }, [tabId, editor, identity]);
  return null;
}
