/** The key that the processes of a test seal their journal with. */
import { createSecretKey } from "node:crypto";
import { TokenCipher } from "../../../src/services/tokens/token-cipher";
import { fixedKeyRing } from "../../../src/services/tokens/key-ring";

export const journalCipher = new TokenCipher(
  fixedKeyRing([{ id: "k1", secret: createSecretKey(Buffer.alloc(32, 5)) }]),
);
