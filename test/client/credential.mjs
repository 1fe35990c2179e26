/** A frontend in a process of its own: the real credential with the built client, or with a refresher as everybody writes it. */
import { createRequire } from "node:module";
import { createTokenRefresher } from "../../dist/client/esm/index.js";

const require = createRequire(import.meta.url);
const { AzureCommunicationTokenCredential } = require("@azure/communication-common");
const [endpoint, kind, forMs] = process.argv.slice(2);

const naive = async () => {
  const response = await fetch(endpoint, { method: "POST", body: "{}" });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return (await response.json()).data.issueToken.accessToken.token;
};
const tokenRefresher =
  kind === "naive"
    ? naive
    : createTokenRefresher({ endpoint, getAuthorization: () => "Bearer of-a-user", scopes: ["CHAT"] });
const credential = new AzureCommunicationTokenCredential({
  token: await tokenRefresher(),
  tokenRefresher,
  refreshProactively: true,
});
setTimeout(async () => {
  const { expiresOnTimestamp } = await credential.getToken();
  console.log(JSON.stringify({ secondsLeft: (expiresOnTimestamp - Date.now()) / 1_000 }));
  process.exit(0);
}, Number(forMs));
