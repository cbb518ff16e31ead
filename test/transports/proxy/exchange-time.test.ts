import t, { type Test } from 'tap';
import type { Grant } from '../../../actors/ports/grants.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { BOTH_ROUTES, type RelayRouteUnderTest } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, grantOf, startGateway } from '../../fixtures/test-gateway.ts';

const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

/** At 3 kB/s, as compressed speech comes while it is spoken. */
async function slowUpload(t: Test, route: RelayRouteUnderTest) {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send(route.head(undefined));
  const body = route.bodyOf(37_000);
  for (let at = 0; at < body.length; at += 600) {
    client.send(chunk(body.subarray(at, at + 600)));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  client.send('0\r\n\r\n');
  const request = await upstream.next();
  t.ok((await request.whole()).equals(body));
  request.reply(200, { 'content-type': 'application/json' }, '{"text":"slow"}');
  await client.until('{"text":"slow"}');
  t.match(await gateway.reported(1), [{ outcome: 'ok', bytesIn: body.length }]);
}

async function slowAnswer(t: Test, route: RelayRouteUnderTest) {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send(route.head(route.body.length));
  client.send(route.body);
  const request = await upstream.next();
  await new Promise((resolve) => setTimeout(resolve, 12_500));
  request.reply(200, { 'content-type': 'application/json' }, '{"text":"late"}');
  await client.until('{"text":"late"}');
  t.match(await gateway.reported(1), [{ outcome: 'ok' }]);
}

/** A speaker who thinks for twelve seconds. */
async function pausingUpload(t: Test, route: RelayRouteUnderTest) {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send(route.head(undefined));
  client.send(chunk(route.body.subarray(0, 9)));
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  client.send(chunk(route.body.subarray(9)));
  client.send('0\r\n\r\n');
  const request = await upstream.next();
  await request.whole();
  request.reply(200, { 'content-type': 'application/json' }, '{"text":"paused"}');
  await client.until('{"text":"paused"}');
  t.match(await gateway.reported(1), [{ outcome: 'ok' }]);
}

t.test(
  'neither an upload of 3 kB/s, nor one with a pause, nor an answer is ended by the ten seconds of uWebSockets.js',
  async (t) => {
    await Promise.all(
      BOTH_ROUTES.flatMap((route) => [slowUpload, pausingUpload, slowAnswer].map((act) => act(t, route))),
    );
  },
);

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: an upload that falls silent is ended with 408 and reported as a timeout`, async (t) => {
    const clock = createManualClock();
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url }, clock });
    const client = await connectRaw(t, gateway.port);
    client.send(route.head(100_000));
    client.send(route.body.subarray(0, 9));
    while (gateway.relay.activeCount === 0) await settle();
    clock.advance(29_500);
    t.equal(gateway.events.length, 0);
    clock.advance(1_000);
    t.match(await client.until('UPLOAD_TOO_SLOW'), /^HTTP\/1\.1 408 /);
    t.match(await gateway.reported(1), [{ outcome: 'timeout', status: 408, bytesIn: 9 }]);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: an upload that trickles is ended after the first minute`, async (t) => {
    const clock = createManualClock();
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url }, clock });
    const client = await connectRaw(t, gateway.port);
    client.send(route.head(100_000));
    client.send(route.body.subarray(0, 9));
    while (gateway.relay.activeCount === 0) await settle();
    for (let seconds = 10; seconds <= 60; seconds += 10) {
      clock.advance(10_000);
      client.send('x');
      await settle();
    }
    t.equal(gateway.events.length, 0);
    clock.advance(1_000);
    await client.until('UPLOAD_TOO_SLOW');
    t.match(await gateway.reported(1), [{ outcome: 'timeout', status: 408 }]);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a provider that does not answer is given five minutes, then the client gets 504`,
    async (t) => {
      const clock = createManualClock();
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url }, clock });
      const client = await connectRaw(t, gateway.port);
      client.send(route.head(route.body.length));
      client.send(route.body);
      const request = await upstream.next();
      await request.whole();
      clock.advance(299_000);
      t.equal(gateway.events.length, 0);
      clock.advance(2_000);
      t.match(await client.until('UPSTREAM_TIMEOUT'), /^HTTP\/1\.1 504 /);
      await request.closed;
      t.match(await gateway.reported(1), [{ outcome: 'timeout', status: 504 }]);
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a provider that falls silent in the middle of its answer is cut off, and so is the client`,
    async (t) => {
      const clock = createManualClock();
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url }, clock });
      const client = await connectRaw(t, gateway.port);
      client.send(route.head(route.body.length));
      client.send(route.body);
      const request = await upstream.next();
      await request.whole();
      request.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
      request.send(chunk(route.word('a')));
      await client.until('"a"');
      clock.advance(119_000);
      request.send(chunk(': still here\n\n'));
      await client.until('still here');
      clock.advance(119_000);
      t.equal(gateway.events.length, 0);
      clock.advance(2_000);
      t.notMatch(await client.ended, /\r\n0\r\n\r\n$/);
      await request.closed;
      t.match(await gateway.reported(1), [{ outcome: 'timeout', status: 200 }]);
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: an answer that is read until its time is over is paid for as far as it came`, async (t) => {
    const clock = createManualClock();
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url }, clock });
    const client = await connectRaw(t, gateway.port);
    client.send(route.head(route.body.length));
    client.send(route.body);
    const request = await upstream.next();
    await request.whole();
    request.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let at = 0; gateway.events.length === 0; at += 1) {
      request.send(chunk(route.word(`word-${at}-`)));
      await Promise.race([client.until(`word-${at}-`), gateway.reported(1)]);
      clock.advance(119_000);
    }
    t.notMatch(await client.ended, /\r\n0\r\n\r\n$/);
    t.match(gateway.events, [{ outcome: 'truncated', status: 200 }]);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a request whose token had to be asked for is watched like any other, however long the answer took`,
    async (t) => {
      const clock = createManualClock();
      const upstream = await startScriptedUpstream(t);
      let answer: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => (answer = resolve));
      const find = async () => {
        await asked;
        return grantOf('late', clock.now() + 900_000);
      };
      const gateway = await startGateway(t, { providers: { main: upstream.url }, clock, find });
      const client = await connectRaw(t, gateway.port);
      client.send(route.head(route.body.length, ['Authorization: Bearer late']));
      client.send(route.body);
      await new Promise((resolve) => setTimeout(resolve, 50));
      clock.advance(5_000);
      answer();
      const request = await upstream.next();
      await request.whole();
      clock.advance(301_000);
      await client.until('UPSTREAM_TIMEOUT');
      t.match(await gateway.reported(1), [{ outcome: 'timeout', status: 504 }]);
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: what arrives while the token is still asked for is metered like the rest`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    let answer: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => (answer = resolve));
    const find = async () => {
      await asked;
      return grantOf('late', Date.now() + 900_000);
    };
    const gateway = await startGateway(t, { providers: { main: upstream.url }, find });
    const client = await connectRaw(t, gateway.port);
    const { body } = route;
    client.send(route.head(body.length, ['Authorization: Bearer late']));
    client.send(body);
    // Long enough for the loopback: the whole body lies in the gateway before the token is known.
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer();
    const request = await upstream.next();
    await request.whole();
    request.reply(200, { 'content-type': 'application/json' }, '{"text":"metered"}');
    await client.until('metered');
    t.match(await gateway.reported(1), [{ outcome: 'ok', model: 'm-1' }]);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: at a stop what is under way may finish, and what does not is ended and reported as shutdown`,
    async (t) => {
      const clock = createManualClock();
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url }, clock });
      const [quick, slow] = [await connectRaw(t, gateway.port), await connectRaw(t, gateway.port)];
      const requests = [];
      for (const client of [quick, slow]) {
        client.send(route.head(route.body.length));
        client.send(route.body);
        const request = await upstream.next();
        await request.whole();
        requests.push(request);
      }
      let drained = false;
      const drain = gateway.relay.drain(5_000).then(() => (drained = true));
      requests[0]!.reply(200, { 'content-type': 'application/json' }, '{"text":"in time"}');
      await quick.until('in time');
      clock.advance(4_000);
      t.equal(drained, false);
      clock.advance(1_000);
      await slow.until('SHUTTING_DOWN');
      clock.advance(250);
      await drain;
      t.match(await slow.until('SHUTTING_DOWN'), /HTTP\/1\.1 503 /);
      await requests[1]!.closed;
      t.match(await gateway.reported(2), [
        { outcome: 'ok', status: 200 },
        { outcome: 'shutdown', status: 503 },
      ]);
      t.equal(gateway.relay.activeCount, 0);
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a client that was kept waiting for longer than a silence may last is heard, and not called slow`,
    async (t) => {
      const clock = createManualClock();
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url }, clock });
      const body = route.bodyOf(24_000_000);
      const client = await connectRaw(t, gateway.port);
      client.send(route.head(body.length));
      client.send(body);
      const request = await upstream.next();
      request.stall();
      for (let second = 0; second < 40; second += 1) {
        clock.advance(1_000);
        await settle();
      }
      t.equal(gateway.events.length, 0, 'still under way');
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a stop waits for a request whose token is still asked for, and answers it where that takes too long`,
    async (t) => {
      const clock = createManualClock();
      const upstream = await startScriptedUpstream(t);
      let answer = (_grant: Grant): void => undefined;
      const find = () => new Promise<Grant>((resolve) => (answer = resolve));
      const gateway = await startGateway(t, { providers: { main: upstream.url }, clock, find });
      const askedFor = async (token: string) => {
        const client = await connectRaw(t, gateway.port);
        client.send(route.head(route.body.length, [`Authorization: Bearer ${token}`]));
        client.send(route.body);
        while (gateway.relay.activeCount === 0) await settle();
        return client;
      };
      const admitted = await askedFor('first');
      let drain = gateway.relay.drain(5_000);
      answer(grantOf('first', clock.now() + 900_000));
      const request = await upstream.next();
      await request.whole();
      request.reply(200, { 'content-type': 'application/json' }, '{"text":"in time"}');
      await admitted.until('in time');
      clock.advance(250);
      await drain;
      const waiting = await askedFor('second');
      drain = gateway.relay.drain(5_000);
      clock.advance(5_000);
      await waiting.until('SHUTTING_DOWN');
      clock.advance(250);
      await drain;
      answer(grantOf('second', clock.now() + 900_000));
      await settle();
      t.match(await gateway.reported(1), [{ outcome: 'ok' }]);
      t.equal(gateway.relay.activeCount, 0);
    },
  );
}
