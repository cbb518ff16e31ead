/** What it costs to admit a request whose token is known: the decision alone, in this process. */
import { createHash, randomBytes } from 'node:crypto';
import { createAdmission } from '../../../actors/admission/admission.ts';
import { createGrantTable } from '../../../actors/admission/grant-table.ts';
import { newId } from '../../../actors/identity/new-id.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { createPrometheusMetrics } from '../../../transports/telemetry/prometheus-metrics.ts';
import { BENCH_ACCESS_TOKEN } from './prepared-requests.ts';

const TOKENS = 10_000;
const CALLS = 300_000;
const ROUNDS = 7;

/** Microseconds of processor time for each call: the median of several rounds over many tokens, as no gateway serves one token only. */
export function measureAdmission(): number {
  const table = createGrantTable(() => systemClock.now());
  const tokens = Array.from(
    { length: TOKENS },
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
  for (let round = 0; round <= ROUNDS; round += 1) {
    const given = Array.from({ length: CALLS }, (_, call) => headers[call % TOKENS]?.toString('latin1') ?? '');
    const before = process.cpuUsage();
    for (const authorization of given) void admission.admit(authorization, unknownAddress);
    const { user, system } = process.cpuUsage(before);
    if (round > 0) micros.push((user + system) / CALLS);
  }
  return micros.sort((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
}

const unknownAddress = (): never => {
  throw new Error('Every token of the benchmark is known.');
};
