/** The web example on free ports, as a process: tells its parent where the page is, and ends with it. */
import { startExample } from "../../../examples/web/server/start.mjs";

const [program, page] = process.argv.slice(2);
const ports = { page: 0, oidc: 0, gateway: 0, emulator: 0 };
const example = await startExample({ program, page, ports });
process.once("disconnect", () => void example.close());
process.send({ page: example.page, issuer: example.issuer, endpoint: example.endpoint });
