import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocketServer, type WebSocket } from 'ws';
import { createApiClient } from '../../../transports/client/api-client.ts';
import type { ClientError } from '../../../transports/client/client-error.ts';
import { connectDesktop, type ConnectionHandlers } from '../../../transports/client/desktop-connection.ts';
import { createMemoryIdentity } from '../../../transports/client/device-identity.ts';
import { createServerClock } from '../../../transports/client/server-clock.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';

const HOUR_MS = 3_600_000;
const PORTALS = {
  redirect: 'HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\n',
  page: 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n',
  'page as JSON': 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n',
  'network authentication': 'HTTP/1.1 511 Network Authentication Required\r\n',
  forbidden: 'HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n',
  unauthorised: 'HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\nWWW-Authenticate: Basic\r\n',
  'a problem without an id': 'HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\n',
  missing: 'HTTP/1.1 404 Not Found\r\n',
} as const;
const portalBody = '{"code":"AUTH_DEVICE_REVOKED"}';
const whole = (head: string, body = portalBody) =>
  `${head}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
const ours = (status: number, problem: object) =>
  whole(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/problem+json\r\nX-Request-Id: r-1\r\n`,
    JSON.stringify(problem),
  );

const hello = () =>
  JSON.stringify({
    type: 'hello',
    server_time: new Date().toISOString(),
    clock_offset_ms: 0,
    heartbeat_ms: 30_000,
    epoch: 'e',
    last_seq: 0,
  });

/** An api that takes upgrades signed within two hours of its clock, unless `refuse` says what is answered in its place. */
async function startApi(t: Test) {
  const state: { refuse: string | undefined; sockets: WebSocket[]; tries: number } = {
    refuse: undefined,
    sockets: [],
    tries: 0,
  };
  const webSockets = new WebSocketServer({ noServer: true });
  const server: Server = createServer((request, response) => {
    request.resume();
    response.socket?.end(state.refuse ?? ours(404, { code: 'NOT_FOUND' }));
  });
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    state.tries += 1;
    const offMs = Number(request.headers['x-vello-timestamp']) * 1000 - Date.now();
    const skewed = ours(401, { code: 'AUTH_CLOCK_SKEW', server_time: new Date().toISOString() });
    const refusal = state.refuse ?? (Math.abs(offMs) > 2 * HOUR_MS ? skewed : undefined);
    if (refusal !== undefined) {
      socket.end(refusal);
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (ws) => {
      state.sockets.push(ws);
      ws.send(hello());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const ws of state.sockets) ws.terminate();
    server.close();
  });
  return { state, base: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function setUp(t: Test, base: string, offsetMs = 0) {
  const wall = { offsetMs };
  const clock = { ...systemClock, now: () => systemClock.now() + wall.offsetMs };
  const closing = new AbortController();
  t.teardown(() => closing.abort());
  const serverClock = createServerClock(clock);
  serverClock.observe(new Date().toISOString(), clock.now());
  const replaced: string[] = [];
  const connect = (handlers: ConnectionHandlers) =>
    connectDesktop(
      {
        url: `ws://${base}`,
        deviceId: 'd',
        identity: createMemoryIdentity(),
        serverClock,
        clock,
        subprotocol: 'vello.v1.json',
        signal: closing.signal,
        token: async () => 'token',
        replace: async (refused) => {
          replaced.push(refused);
          return 'another';
        },
        onRenewed: () => () => undefined,
      },
      handlers,
    );
  return {
    wall,
    serverClock,
    connect,
    replaced,
    call: createApiClient({ url: `http://${base}`, clock, signal: closing.signal, timeoutMs: 5000 }),
  };
}

/** Connects, loses the socket, and resolves with what came next: another hello, or the end. Waits for no backoff. */
async function loseAndReturn(
  parts: ReturnType<typeof setUp>,
  lose: () => void,
  onDisconnected: (times: number) => void,
) {
  let settle: (outcome: string) => void;
  const outcome = new Promise<string>((resolve) => (settle = resolve));
  let hellos = 0;
  let losses = 0;
  const connection = await parts.connect({
    hello: () => {
      hellos += 1;
      if (hellos === 2) settle('connected again');
    },
    disconnected: () => {
      losses += 1;
      onDisconnected(losses);
      setImmediate(() => connection.wake());
    },
    ended: (error: ClientError) => settle(`ended by ${error.code}`),
  });
  lose();
  const result = await outcome;
  await connection.close();
  return result;
}

t.test(
  'a clock that is corrected while the application runs does not end the connection, nor cost a token',
  async (t) => {
    for (const [from, to] of [
      [9, 0],
      [0, 9],
      [-9, 0],
      [0, -48],
    ] as const) {
      const { state, base } = await startApi(t);
      const parts = setUp(t, base, from * HOUR_MS);
      const lose = () => {
        parts.wall.offsetMs = to * HOUR_MS;
        state.sockets.at(-1)?.terminate();
      };
      t.equal(await loseAndReturn(parts, lose, () => undefined), 'connected again', `${from} h to ${to} h`);
      t.ok(Math.abs(parts.serverClock.offsetMs + to * HOUR_MS) < 2000);
      t.strictSame(parts.replaced, []);
    }
  },
);

t.test('a captive portal does not end the connection: it comes back once the portal is passed', async (t) => {
  for (const [name, head] of Object.entries(PORTALS)) {
    const { state, base } = await startApi(t);
    const parts = setUp(t, base);
    const lose = () => {
      state.refuse = whole(head);
      state.sockets.at(-1)?.terminate();
    };
    const passThird = (times: number) => {
      if (times === 3) state.refuse = undefined;
    };
    t.equal(await loseAndReturn(parts, lose, passThird), 'connected again', name);
    t.ok(state.tries >= 4, name);
    t.strictSame(parts.replaced, [], name);
  }
});

t.test('a call to the api that a portal answers is a network trouble that may be tried again', async (t) => {
  const { state, base } = await startApi(t);
  const { call } = setUp(t, base);
  for (const [name, head] of Object.entries(PORTALS)) {
    state.refuse = whole(head);
    const refused = call({ method: 'POST', path: '/api/auth/refresh', body: {} });
    await t.rejects(refused, { code: 'NETWORK', retryable: true, status: 0 }, name);
  }
});

t.test("a refusal that is recognisably the server's is final", async (t) => {
  const { state, base } = await startApi(t);
  const parts = setUp(t, base);
  const lose = () => {
    state.refuse = ours(403, { code: 'AUTH_DEVICE_REVOKED' });
    state.sockets.at(-1)?.terminate();
  };
  t.equal(await loseAndReturn(parts, lose, () => undefined), 'ended by AUTH_DEVICE_REVOKED');
});

t.test('wake tests the socket and gives a dead one up within 3 s, not after two heartbeats', async (t) => {
  const { state, base } = await startApi(t);
  const parts = setUp(t, base);
  // Its other side was lost during sleep: nothing that is sent is ever answered.
  const started = systemClock.monotonicMs();
  let wake: () => void = () => undefined;
  const result = await loseAndReturn(
    {
      ...parts,
      connect: async (handlers) => {
        const connection = await parts.connect(handlers);
        wake = () => connection.wake();
        return connection;
      },
    },
    () => {
      state.sockets.at(-1)?.pause();
      wake();
    },
    () => undefined,
  );
  t.equal(result, 'connected again');
  t.ok(systemClock.monotonicMs() - started < 10_000);
});
