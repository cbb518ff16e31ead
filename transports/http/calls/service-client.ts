/**
 * Signed calls to the api in the name of a service (contract §3). Which call is made, and what an answer means, is decided by the
 * caller; a new signature is made for every call, because each is accepted once.
 */
import { createHash, sign, type KeyObject } from 'node:crypto';
import { Agent, request } from 'undici';
import { serviceRequestText } from '../../../actors/crypto/signed-texts.ts';
import type { Clock } from '../../../actors/ports/clock.ts';
import { VelloError } from '../../../config/errors.ts';

export interface ServiceClientOptions {
  /** `http://127.0.0.1:8080` */
  readonly apiUrl: string;
  readonly serviceId: string;
  /** Ed25519 private key of the service. */
  readonly privateKey: KeyObject;
  readonly clock: Clock;
  /** From the call to the last byte of its answer; default 10 s. */
  readonly timeoutMs?: number;
}

export interface ServiceReply {
  readonly status: number;
  readonly body: unknown;
}

export interface ServiceClient {
  /**
   * Resolves to whatever status the api gives.
   * @throws VelloError `API_UNREACHABLE`, `API_TIMEOUT` (the outcome is unknown), `API_MISMATCH` where the answer is not JSON
   */
  call(method: 'GET' | 'POST', path: string, body?: object): Promise<ServiceReply>;
  /** Ends idle connections; calls under way go on. */
  close(): Promise<void>;
}

export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  const { apiUrl, serviceId, privateKey, clock, timeoutMs = 10_000 } = options;
  const agent = new Agent({ connections: 16, keepAliveTimeout: 30_000, connect: { timeout: 3000 } });

  const authorize = (timestamp: number, method: string, path: string, body: string): Record<string, string> => {
    const bodySha256 = createHash('sha256').update(body).digest('hex');
    const text = serviceRequestText({ serviceId, timestamp, method, path, bodySha256 });
    const signature = sign(null, text, privateKey).toString('base64url');
    return { authorization: `Ed25519 ${timestamp}:${signature}`, 'x-vello-service': serviceId };
  };

  const send = async (timestamp: number, method: 'GET' | 'POST', path: string, body: string): Promise<ServiceReply> => {
    try {
      const response = await request(`${apiUrl}${path}`, {
        method,
        headers: {
          ...authorize(timestamp, method, path, body),
          ...(body === '' ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === '' ? {} : { body }),
        dispatcher: agent,
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.statusCode, body: parse(await response.body.text(), response.statusCode) };
    } catch (error) {
      throw error instanceof VelloError ? error : failureOf(error);
    }
  };

  return {
    call: async (method, path, payload) => {
      const body = payload === undefined ? '' : JSON.stringify(payload);
      let timestamp = Math.floor(clock.now() / 1000);
      for (let attempt = 1; ; attempt += 1) {
        const reply = await send(timestamp, method, path, body);
        if (!isReplay(reply) || attempt === SIGNATURES) return reply;
        timestamp = Math.max(timestamp + 1, Math.floor(clock.now() / 1000));
      }
    },
    close: () => agent.close(),
  };
}

/**
 * The same call twice within a second has one signature, because Ed25519 knows no chance, and is taken for a replay; so is one older
 * than the memory of a Redis that was emptied. A second later it is another signature, well within the tolerated drift.
 */
const SIGNATURES = 3;

const isReplay = ({ status, body }: ServiceReply): boolean =>
  status === 401 && (body as { readonly code?: unknown } | undefined)?.code === 'SERVICE_SIGNATURE_REPLAYED';

function failureOf(error: unknown): VelloError {
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown };
  const isTimeout = name === 'TimeoutError' || (typeof code === 'string' && code.includes('TIMEOUT'));
  const what = typeof code === 'string' ? code : String(name);
  return new VelloError(isTimeout ? 'API_TIMEOUT' : 'API_UNREACHABLE', `The call to the api failed (${what}).`, {
    cause: error,
  });
}

/** A failing proxy in between answers in HTML: its status says enough. A success without JSON is no answer of our api. */
function parse(text: string, status: number): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    if (status >= 300) return undefined;
    throw new VelloError('API_MISMATCH', `The api answered ${status} without JSON.`);
  }
}
