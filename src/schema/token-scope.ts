/** The five scopes as a GraphQL enum, and their ACS spelling. */
import { registerEnumType } from "type-graphql";

/** ACS's scopes; the values are ACS's own spelling. */
export enum TokenScope {
  CHAT = "chat",
  CHAT_JOIN = "chat.join",
  CHAT_JOIN_LIMITED = "chat.join.limited",
  VOIP = "voip",
  VOIP_JOIN = "voip.join",
}

registerEnumType(TokenScope, {
  name: "TokenScope",
  description:
    "What an access token allows. `CHAT` includes `CHAT_JOIN`, which includes `CHAT_JOIN_LIMITED`; `VOIP` includes `VOIP_JOIN`. Ask for the least that does.",
  valuesConfig: {
    CHAT: { description: "All of Chat (`chat`)." },
    CHAT_JOIN: { description: "Chat without creating, updating or deleting threads (`chat.join`)." },
    CHAT_JOIN_LIMITED: {
      description: "`CHAT_JOIN` without adding or removing participants (`chat.join.limited`).",
    },
    VOIP: { description: "All of Calling (`voip`)." },
    VOIP_JOIN: { description: "Calling without starting calls (`voip.join`)." },
  },
});
