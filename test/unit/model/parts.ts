/** The parts of the protocol that the model can leave out, to see that each of them is needed. */

/** Which parts are there. */
export interface Parts {
  /** A commit is refused when the generation has changed since the lease was taken. */
  readonly generation: boolean;
  /** A hash that another primary wrote is dropped unread. */
  readonly incarnation: boolean;
  /** A primary that has lost its replicas refuses service. */
  readonly fence: boolean;
  /** A primary is asked only while its last good beat is young; a beat that fails cuts the connection. */
  readonly trust: boolean;
  /** A primary that was away is believed after two good beats, not one. */
  readonly secondBeat: boolean;
  /** A revocation's first step. */
  readonly begin: boolean;
  /** Nothing is stored between a revocation's two steps. */
  readonly pending: boolean;
  /** A revocation's last step. */
  readonly end: boolean;
  /** Who began after the moment that a shared run is vouched for does not take its outcome. */
  readonly vouching: boolean;
  /** A request does not read from the store while its gateway owes it the end of a revocation. */
  readonly readBarrier: boolean;
  /**
   * Nor does a run that began before: the store vouches for nothing while it is owed the end of a revocation. It guards
   * the same as the read barrier: a request that began after its gateway had answered CACHE_UNAVAILABLE.
   */
  readonly runBarrier: boolean;
}

/** The protocol with all of them. */
export const complete: Parts = {
  generation: true,
  incarnation: true,
  fence: true,
  trust: true,
  secondBeat: true,
  begin: true,
  pending: true,
  end: true,
  vouching: true,
  readBarrier: true,
  runBarrier: true,
};
