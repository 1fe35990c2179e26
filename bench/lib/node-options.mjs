/** How Node.js itself is started. */
import { readFileSync } from "node:fs";

const dockerfile = new URL("../../deploy/Dockerfile", import.meta.url);
const [, entrypoint] = /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(dockerfile, "utf8"));

/** The options that the gateway's image gives to Node.js. Every server here has them, so that none is favoured. */
export const nodeOptions = JSON.parse(entrypoint).filter((word) => word.startsWith("--"));
