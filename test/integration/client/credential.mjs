/** A frontend in a process of its own: the real credential with the built client, or with a refresher as everybody writes it. */
import { createRequire } from "node:module";
import * as esm from "../../../dist/client/esm/index.js";

const require = createRequire(import.meta.url);
const { AzureCommunicationTokenCredential } = require("@azure/communication-common");
const cjs = require("../../../dist/client/cjs/index.js");
const [endpoint, kind, forMs, enoughSeconds] = process.argv.slice(2);
const { createTokenRefresher } = kind === "ours-in-commonjs" ? cjs : esm;

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
// Until the token is as good as asked for, or the time is over.
for (const end = Date.now() + Number(forMs); ; await new Promise((resolve) => setTimeout(resolve, 50))) {
  const { expiresOnTimestamp } = await credential.getToken();
  const secondsLeft = (expiresOnTimestamp - Date.now()) / 1_000;
  if (Date.now() < end && secondsLeft < Number(enoughSeconds)) continue;
  console.log(JSON.stringify({ secondsLeft }));
  process.exit(0);
}
