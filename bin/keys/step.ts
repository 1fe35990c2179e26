/** The steps in which a sealing key is changed. */
import { InvalidArgumentError } from "commander";

/** The steps, in their order. */
const steps = ["add", "promote", "retire"] as const;
/** One of {@link steps}. */
export type Step = (typeof steps)[number];

/** The step of this name. Throws commander's error for an argument that is none. */
export function stepOf(text: string): Step {
  const step = steps.find((each) => each === text);
  if (step) return step;
  throw new InvalidArgumentError(`It must be one of ${steps.join(", ")}.`);
}
