/** Fills the identity that was named last into the variables of the tab that is opened. */
import { useGraphiQL } from "@graphiql/react";
import { useEffect, useRef } from "react";
import { fillIn, lastIdentity } from "./identity";

/** Shows nothing. Stands inside GraphiQL to follow its tabs. */
export function IdentityFiller() {
  const activeTabIndex = useGraphiQL((state) => state.activeTabIndex);
  const editor = useGraphiQL((state) => state.variableEditor);
  const filled = useRef<string>(undefined);
  useEffect(() => {
    if (!editor) return;
    const variables = fillIn(editor.getValue(), filled.current);
    if (variables === undefined) return;
    filled.current = lastIdentity();
    editor.setValue(variables);
  }, [activeTabIndex, editor]);
  return null;
}
