/** The desktops and the collector of `vello bench auth`: real signatures, one request under way on each of a number of connections. */
import { createHash, sign, type KeyObject } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Client } from 'undici';
import { generateKeyPair } from '../../../actors/crypto/key-pair.ts';
import { newId } from '../../../actors/identity/new-id.ts';
import { deviceAuthText, serviceRequestText } from '../../../actors/crypto/signed-texts.ts';
import { flattenUsageEvent } from '../../../actors/events/usage-event.ts';

export interface Owner {
  readonly userId: string;
  readonly deviceId: string;
}

export interface Measured {
  /** With those of the warm-up. */
  readonly iterations: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** One iteration on one connection. Throws when an answer is not what it should be: a wrong answer is not counted as a fast one. */
export type Scenario = (client: Client, iteration: number) => Promise<void>;

const WARM_UP_MS = 700;

/** Keeps `connections` busy for `forMs`, after a warm-up. */
export async function measure(
  origin: string,
  scenario: Scenario,
  connections: number,
  forMs: number,
): Promise<Measured> {
  const clients = Array.from({ length: connections }, () => new Client(origin));
  const times: number[] = [];
  let iterations = 0;
  const fromMs = performance.now() + WARM_UP_MS;
  const untilMs = fromMs + forMs;
  try {
    await Promise.all(
      clients.map(async (client) => {
        for (let startedMs = performance.now(); startedMs < untilMs; startedMs = performance.now()) {
          await scenario(client, nextIteration());
          iterations += 1;
          const endedMs = performance.now();
          if (startedMs >= fromMs && endedMs <= untilMs) times.push(endedMs - startedMs);
        }
      }),
    );
  } finally {
    await Promise.all(clients.map((client) => client.destroy()));
  }
  times.sort((a, b) => a - b);
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? NaN;
  return { iterations, perSecond: (times.length * 1000) / forMs, p50Ms: at(0.5), p99Ms: at(0.99) };
}

let everyIteration = 0;
const nextIteration = (): number => (everyIteration += 1);

/** Every iteration is another desktop behind another address, so that the limits per key and address are paid for and never met. */
export function challengeToVerify(keyPairs: number): Scenario {
  const desktops = Array.from({ length: keyPairs }, () => {
    const { publicKey, privateKey } = generateKeyPair();
    return { privateKey, publicKey: publicKey.toString('base64url') };
  });
  return async (client, iteration) => {
    const desktop = desktops[iteration % desktops.length];
    if (desktop === undefined) throw new Error('no desktops');
    const address = `10.${(iteration >> 16) & 255}.${(iteration >> 8) & 255}.${iteration & 255}`;
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': address };
    const body = JSON.stringify({ public_key: desktop.publicKey });
    const challenge = (await post(client, '/api/auth/ed25519/challenge', headers, body)) as Record<string, string>;
    const { challenge_id: challengeId = '', nonce = '' } = challenge;
    const text = deviceAuthText({ challengeId, nonce, publicKey: desktop.publicKey });
    const signature = sign(null, text, desktop.privateKey).toString('base64url');
    await post(client, '/api/auth/ed25519/verify', headers, JSON.stringify({ challenge_id: challengeId, signature }));
  };
}

/** `batch` events a request, each of another owner. */
export function addJobs(
  service: { readonly id: string; readonly key: KeyObject },
  owners: readonly Owner[],
  batch: number,
): Scenario {
  const path = '/api/jobs/add';
  return async (client, iteration) => {
    const events = Array.from({ length: batch }, (_, n) => event(owners[(iteration * batch + n) % owners.length]));
    const body = JSON.stringify(batch === 1 ? { event: events[0] } : { events });
    const timestamp = Math.floor(Date.now() / 1000);
    const bodySha256 = createHash('sha256').update(body).digest('hex');
    const text = serviceRequestText({ serviceId: service.id, timestamp, method: 'POST', path, bodySha256 });
    const authorization = `Ed25519 ${timestamp}:${sign(null, text, service.key).toString('base64url')}`;
    await post(
      client,
      path,
      { 'content-type': 'application/json', 'x-vello-service': service.id, authorization },
      body,
    );
  };
}

function event(owner: Owner | undefined) {
  if (owner === undefined) throw new Error('no owners');
  const flat = flattenUsageEvent({
    eventId: newId(),
    type: 'transcribe',
    requestId: newId(),
    sessionId: newId(),
    ...owner,
    provider: 'openai',
    model: 'whisper-1',
    keyId: 'k1',
    outcome: 'ok',
    status: 200,
    startedAtMs: Date.now(),
    ttfbMs: 120,
    durationMs: 900,
    bytesIn: 64_000,
    bytesOut: 180,
    audioSeconds: 7.5,
    audioSource: 'header',
    attempts: 1,
  });
  return Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1]]] : [])));
}

async function post(client: Client, path: string, headers: Record<string, string>, body: string): Promise<unknown> {
  const response = await client.request({ method: 'POST', path, headers, body });
  const answer: unknown = await response.body.json();
  if (response.statusCode !== 200)
    throw new Error(`${path} answered ${response.statusCode}: ${JSON.stringify(answer)}`);
  return answer;
}
