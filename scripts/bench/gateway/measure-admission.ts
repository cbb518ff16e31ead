/** What it costs to admit a request whose token is known: the decision alone, in this process. */
import { createHash, randomBytes } from 'node:crypto';
import { createAdmission } from '../../../actors/admission/admission.ts';
import { createGrantTable } from '../../../actors/admission/grant-table.ts';
import { newId } from '../../../actors/identity/new-id.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { createPrometheusMetrics } from '../../../transports/telemetry/prometheus-metrics.ts';
import { BENCH_ACCESS_TOKEN } from './prepared-requests.ts';

export const ADMITTED_USERS = [100, 1_000, 10_000] as const;

/** As many as are still in the processor's cache when they are used, as the header of a request is that has just been read. */
const CALLS = 200;
const BATCHES = 500;
const ROUNDS = 11;

/**
 * Microseconds of processor time for each call, the median of several rounds. `users` ask one after the other: the more there are, the less of
 * what is known of them is in the processor's cache.
 */
export function measureAdmission(users: number): number {
  const table = createGrantTable(() => systemClock.now());
  const tokens = Array.from(
    { length: users },
    () => BENCH_ACCESS_TOKEN.slice(60) + randomBytes(45).toString('base64url'),
  );
  for (const token of tokens) {
    const tokenHash = createHash('sha256').update(token).digest('base64url');
    const ids = { userId: newId(), deviceId: newId(), familyId: newId() };
    table.apply({ op: 'issue', grant: { ...ids, tokenHash, expiresAtMs: Date.now() + 3_600_000 } });
  }
  const admission = createAdmission({
    ...{ table, source: { find: async () => undefined }, requestsPerUser: 8 },
    ...{ clock: systemClock, metrics: createPrometheusMetrics() },
  });
  // As it comes from a request: a text of its own each time, of which nothing is known yet.
  const headers = tokens.map((token) => Buffer.from(`Bearer ${token}`));
  const micros: number[] = [];
  let call = 0;
  const next = () => headers[call++ % users]?.toString('latin1') ?? '';
  for (let round = 0; round <= ROUNDS; round += 1) {
    let spent = 0;
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const given = Array.from({ length: CALLS }, next);
      const before = process.cpuUsage();
      for (const authorization of given) void admission.admit(authorization, unknownAddress);
      const { user, system } = process.cpuUsage(before);
      spent += user + system;
    }
    if (round > 0) micros.push(spent / BATCHES / CALLS);
  }
  return micros.sort((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
}

const unknownAddress = (): never => {
  throw new Error('Every token of the benchmark is known.');
};
