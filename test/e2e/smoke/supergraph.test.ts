/** A supergraph of the gateway and another subgraph, composed and served by Hive Gateway. */
import { describeBehind } from "./behind-router.suite";

describeBehind("Hive Gateway", "routers/hive.mjs");
