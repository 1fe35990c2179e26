/** Calls what an app has given to be told: its mistakes are shown, and are no reason to stop. */
export function tell(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    // eslint-disable-next-line no-console -- an app's mistake has nowhere else to go, and must not pass unseen
    console.error(error);
  }
}
