/** On what a case is played: one server under test before one scripted provider, and a client for each connection. */
import type { RunningPeer } from '../peers/peer.ts';
import { openRawClient, type RawClient } from './raw-client.ts';
import { readAnswer, type SeenAnswer } from './seen-answer.ts';
import type { ScriptedRequest, ScriptedUpstream } from './scripted-upstream.ts';
import type { TestedRoute } from './tested-route.ts';

/** What came out, and whether it is as it should be; `undefined` where the case asks nothing of this server. */
export interface Finding {
  readonly isGood: boolean | undefined;
  /** In few words. */
  readonly cell: string;
  /** In more. */
  readonly detail?: string;
}

export const yes = (cell = 'yes'): Finding => ({ isGood: true, cell });
export const no = (cell: string, detail = cell): Finding => ({ isGood: false, cell, detail });
export const NOTHING_ASKED: Finding = { isGood: undefined, cell: '-' };

export interface ConformanceCase {
  /** By which it is chosen. */
  readonly name: string;
  /** What is to be so. */
  readonly title: string;
  /** `measured`: tells times, so that nothing else should run; `patient`: waits for many seconds, so that others may. */
  readonly pace: 'quick' | 'measured' | 'patient';
  /** On which routes there is something to ask; on all where it is not said. */
  readonly on?: (route: TestedRoute) => boolean;
  play(stage: Stage): Promise<Finding>;
}

/** A server that can be started, and what is known of it. */
export interface Arm {
  /** It asks callers for their token and gives the provider its own key. */
  readonly doesWholeJob: boolean;
  /** Another one after its process has ended. */
  running: RunningPeer;
  readonly token: string;
  readonly providerKey: string;
  readonly upstream: ScriptedUpstream;
  /** Another one of its kind before the same provider. */
  startAnother(): Promise<RunningPeer>;
}

interface RequestOptions {
  /** Header lines beside the usual. */
  readonly lines?: readonly string[];
  /** In place of the token's line. */
  readonly authorization?: string;
  /** The lines that frame the body, in place of its length. */
  readonly framing?: string;
  readonly method?: string;
  readonly target?: string;
  readonly body?: Buffer;
  /** A body that asks for an answer in a stream. */
  readonly asksForStream?: boolean;
}

export class Stage {
  readonly arm: Arm;
  readonly route: TestedRoute;
  readonly #clients: RawClient[] = [];

  constructor(arm: Arm, route: TestedRoute) {
    this.arm = arm;
    this.route = route;
  }

  get upstream(): ScriptedUpstream {
    return this.arm.upstream;
  }

  /** `url`: of another server than the arm's own. */
  async connect(url = this.arm.running.url): Promise<RawClient> {
    const client = await openRawClient(Number(new URL(url).port));
    this.#clients.push(client);
    return client;
  }

  /** The head of a request to the route. */
  head(options: RequestOptions = {}): string {
    const { method, path, lines } = this.route;
    const body = this.#bodyOf(options);
    const framing = options.framing ?? (body.length === 0 ? '' : `Content-Length: ${body.length}`);
    return [
      `${options.method ?? method} ${options.target ?? path} HTTP/1.1`,
      'Host: gateway',
      options.authorization ?? `Authorization: Bearer ${this.arm.token}`,
      ...lines,
      ...Object.entries(this.arm.running.headers).map(([name, value]) => `${name}: ${value}`),
      ...(options.lines ?? []),
      ...(framing === '' ? [] : [framing]),
      '\r\n',
    ].join('\r\n');
  }

  /** A whole request. */
  request(options: RequestOptions = {}): Buffer {
    return Buffer.concat([Buffer.from(this.head(options), 'latin1'), this.#bodyOf(options)]);
  }

  #bodyOf({ body, asksForStream = false }: RequestOptions): Buffer {
    return body ?? (this.route.takesBody ? this.route.bodyOf(100, asksForStream) : Buffer.alloc(0));
  }

  /** Sends a request, and resolves once the provider has all of it. Rejects where it never gets that. */
  async ask(options: RequestOptions = {}): Promise<{ client: RawClient; request: ScriptedRequest }> {
    const client = await this.connect();
    client.send(this.request(options));
    let request: ScriptedRequest | undefined;
    const arrived = this.upstream.next().then(async (next) => {
      await next.whole();
      request = next;
    });
    const answered = client.when(() => client.isEnded() || client.receivedBytes > 0);
    await within(PATIENCE_MS, Promise.race([arrived, answered]));
    if (request === undefined) throw new Error(`${client.text().slice(9, 12) || 'nothing'} at once`);
    return { client, request };
  }

  /** The same, with an answer that has begun: its head and first event are with the client. */
  async askForStream(): Promise<{ client: RawClient; request: ScriptedRequest }> {
    const { client, request } = await this.ask({ asksForStream: true });
    request.send(STREAM_HEAD);
    request.send(chunk(EVENT));
    await client.until(EVENT);
    return { client, request };
  }

  /** What the client got, once it is over in whatever way; as far as it came where it is not over in time. */
  async answerOf(client: RawClient, { isHead = false, withinMs = 2_000 } = {}): Promise<SeenAnswer | undefined> {
    const look = () => readAnswer(client.bytes(), client.isEnded(), isHead);
    await within(
      withinMs,
      client.when(() => client.isEnded() || !['open', undefined].includes(look()?.end)),
    );
    return look();
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

/** Within it a request reaches the provider, or never. */
const PATIENCE_MS = 5_000;
export const EVENT = 'data: {"choices":[{"delta":{"content":"word"}}]}\n\n';
export const STREAM_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

/** One chunk of a chunked body. */
export function chunk(given: Buffer | string): Buffer {
  const bytes = Buffer.from(given);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

/** Resolves to whether `event` came in time; what failed did not. */
export async function within(ms: number, event: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    const came = event.then(
      () => true,
      () => false,
    );
    return await Promise.race([came, late]);
  } finally {
    clearTimeout(timer);
  }
}
