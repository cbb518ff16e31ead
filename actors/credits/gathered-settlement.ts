/**
 * Gathers what concurrent requests want settled into common transactions: a commit costs the same for one event as for a hundred.
 * Waits for nothing: a lane that is free starts at once with what is there; what arrives meanwhile goes with the next one.
 */
import type { PricedEvent, Settlement, SettlementVerdict } from './settlement.ts';

interface Waiting {
  readonly events: readonly PricedEvent[];
  readonly resolve: (verdicts: readonly SettlementVerdict[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Transactions at once: while one waits for the disk another computes. More would only split the batches. */
const LANES = 2;
/** As in one call of `POST /api/jobs/add`; more would hold its users' balances for too long. */
const MOST_EVENTS = 500;

export function gatherSettlements(settlement: Settlement): Settlement {
  const waiting: Waiting[] = [];
  let busyLanes = 0;

  const takeBatch = (): Waiting[] => {
    const batch: Waiting[] = [];
    let size = 0;
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (batch.length > 0 && size + next.events.length > MOST_EVENTS) break;
      size += next.events.length;
      batch.push(next);
      waiting.shift();
    }
    return batch;
  };

  const runLane = async (): Promise<void> => {
    busyLanes += 1;
    for (let batch = takeBatch(); batch.length > 0; batch = takeBatch()) await settleBatch(settlement, batch);
    busyLanes -= 1;
  };

  return {
    settle: (events) =>
      new Promise((resolve, reject) => {
        waiting.push({ events, resolve, reject });
        if (busyLanes < LANES) void runLane();
      }),
  };
}

/** Never rejects: every waiting request gets its own verdicts or its own error. */
async function settleBatch(settlement: Settlement, batch: readonly Waiting[]): Promise<void> {
  try {
    const verdicts = await settlement.settle(batch.flatMap(({ events }) => events));
    let from = 0;
    for (const { events, resolve } of batch) {
      resolve(verdicts.slice(from, from + events.length));
      from += events.length;
    }
  } catch (error) {
    // The store itself failed; what it refuses of one event is a verdict of that event.
    for (const { reject } of batch) reject(error);
  }
}
