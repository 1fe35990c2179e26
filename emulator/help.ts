/** The options of the emulator as a program, for people. */

/** What `--help` prints. */
export const help = `Serves the ACS Identity REST API for development and tests.

  --port N             port for http (default: EMULATOR_PORT, or 4010; 0: any free one)
  --host ADDRESS       address to listen on (default 127.0.0.1)
  --tls                serve https too, where Entra tokens are accepted
  --tls-port N         port for https (default 0: any free one)
  --state FILE         keep identities and revocations in FILE
  --limits on|off      throttle as Azure does (default on)
  --retry-after on|off say with 429 when to come again (default on)
  --limit-scale X      multiply Azure's limits by X
  --revocation-delay S seconds that revoked tokens stay good (default 0; Azure takes up to 900)
  --latency MS         milliseconds that every operation takes (default 0), or "recorded": as long as Azure took
  --clock-offset S     seconds that the emulator's clock is ahead, or behind: --clock-offset=-S (default 0)
  --seed N             seed of faults with a probability (default 1)
  --audit CONNECTION   run the numbered checks of the contract against any ACS resource and end
  --help               this text
`;
