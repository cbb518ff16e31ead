import t from 'tap';
import { createServerClock } from '../../../transports/client/server-clock.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';

t.test('a clock two hours wrong is corrected to within half a round trip', (t) => {
  const clock = createManualClock();
  const server = createServerClock(clock);
  const serverMs = clock.now() - 7_200_000;
  const sentAtMs = clock.now();
  clock.advance(200);
  server.observe(new Date(serverMs + 100).toISOString(), sentAtMs);
  t.equal(server.offsetMs, -7_200_000);
  t.equal(server.now(), serverMs + 200);
  t.end();
});

t.test('a better sample wins over a worse one, and a clock that was moved is noticed', (t) => {
  const clock = createManualClock();
  const server = createServerClock(clock);
  const sample = (skewMs: number, roundTripMs: number, placeMs: number) => {
    const sentAtMs = clock.now();
    clock.advance(roundTripMs);
    server.observe(new Date(sentAtMs + placeMs + skewMs).toISOString(), sentAtMs);
    return server.offsetMs;
  };
  t.equal(sample(5000, 20, 10), 5000);
  t.equal(sample(5000, 4000, 0), 5000, 'the slow answer says less than what is known');
  t.equal(sample(5000, 10, 5), 5000);
  t.equal(sample(-60_000, 100, 50), -60_000);
  t.end();
});

t.test('what is no time changes nothing', (t) => {
  const clock = createManualClock();
  const server = createServerClock(clock);
  server.observe('yesterday', clock.now());
  t.equal(server.offsetMs, 0);
  t.end();
});
