/** Calls what an app has given to be told: its mistakes are shown, and are no reason to stop. */
export function tell(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    // eslint-disable-next-line no-console
    console.error(error);
  }
}
