/** The settings that may change while an emulator runs, and what each of them takes. */
import type { Settings } from "./settings";

const day = 24 * 3600_000;

const onOrOff = [(value: unknown) => typeof value === "boolean", "true or false"] as const;
const between = (min: number, max: number) =>
  [
    (value: unknown) => typeof value === "number" && value >= min && value <= max,
    `a number from ${min} to ${max}`,
  ] as const;
const isErrorStatus = (value: unknown) =>
  Number.isInteger(value) && Number(value) >= 400 && Number(value) <= 599;

const rules = {
  limits: onOrOff,
  limitScale: between(0, 1e6),
  limitWindowMs: between(1, day),
  retryAfter: onOrOff,
  clockSkewMs: between(0, day),
  clockOffsetMs: between(-3660 * day, 3660 * day),
  goneStatus: [isErrorStatus, "a status from 400 to 599"],
  goneCode: [(value: unknown) => typeof value === "string" && value !== "", "a text"],
  repeatedDeleteStatus: [
    (value: unknown) => value === 204 || isErrorStatus(value),
    "204, or a status from 400 to 599",
  ],
  refuseUnknownScopes: onOrOff,
  refuseEmptyCreateScopes: onOrOff,
  strictVersions: onOrOff,
  revocationDelayMs: between(0, day),
  latencyMs: [
    (value: unknown) => value === "recorded" || between(0, 600_000)[0](value),
    'a number from 0 to 600000, or "recorded"',
  ],
} as const satisfies Partial<
  Record<keyof Settings, readonly [isRight: (value: unknown) => boolean, must: string]>
>;

/** The settings that may change, with their values. */
export type LiveValues = Pick<Settings, keyof typeof rules>;

/** Shows and changes the settings of a running emulator. */
export class LiveSettings {
  constructor(private readonly settings: Settings) {}

  /** What is in force now. */
  values(): LiveValues {
    const names = Object.keys(rules) as (keyof LiveValues)[];
    return Object.fromEntries(names.map((name) => [name, this.settings[name]])) as unknown as LiveValues;
  }

  /** Puts `wanted` in force for requests from now on. Throws `RangeError`, and changes nothing, if any of it is wrong. */
  change(wanted: Partial<LiveValues>): void {
    for (const [name, value] of Object.entries(wanted)) {
      if (!Object.hasOwn(rules, name))
        throw new RangeError(
          `${name} cannot be changed while the emulator runs, only ${Object.keys(rules).join(", ")}.`,
        );
      const [isRight, must] = rules[name as keyof LiveValues];
      if (!isRight(value)) throw new RangeError(`${name} is ${must}.`);
    }
    Object.assign(this.settings, wanted);
  }
}
