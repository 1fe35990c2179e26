/** Counts calls per operation and per client request id, to prove single flights and to show orphans. */

/** What happened to the calls of one operation. */
export interface OperationCounts {
  /** Requests that arrived and were signed rightly. */
  received: number;
  /** Requests whose work was done, whatever became of the answer. */
  worked: number;
  /** Requests refused with 429. */
  throttled: number;
  /** Requests that met a fault. */
  faulted: number;
}

const maxRequestIds = 100_000;

/** The counts since the start or the last reset. */
export class Counts {
  private operations = new Map<string, OperationCounts>();
  private requestIds = new Map<string, number>();

  of(operation: string): OperationCounts {
    let counts = this.operations.get(operation);
    if (!counts) {
      counts = { received: 0, worked: 0, throttled: 0, faulted: 0 };
      this.operations.set(operation, counts);
    }
    return counts;
  }

  countRequestId(id: string): void {
    if (this.requestIds.size >= maxRequestIds && !this.requestIds.has(id)) return;
    this.requestIds.set(id, (this.requestIds.get(id) ?? 0) + 1);
  }

  reset(): void {
    this.operations = new Map();
    this.requestIds = new Map();
  }

  snapshot(): { operations: Record<string, OperationCounts>; clientRequestIds: Record<string, number> } {
    return {
      operations: Object.fromEntries([...this.operations].map(([name, counts]) => [name, { ...counts }])),
      clientRequestIds: Object.fromEntries(this.requestIds),
    };
  }
}
