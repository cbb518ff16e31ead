import t from 'tap';
import {
  gatewayProcessActor,
  type GatewayDirectory,
  type GatewayProcessMessage,
} from '../../../actors/programs/gateway-process.ts';
import type { LiveActor } from '../../../actors/kernel/kernel.ts';
import type { Ref } from '../../../actors/kernel/ref.ts';
import { LIMITS } from '../../../config/limits.ts';
import { Drain } from '../../../supervisors/drain.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { scriptedGateway, type ScriptedGateway } from '../../fixtures/scripted-gateway.ts';
import { pass, settled } from '../../fixtures/settled.ts';

async function run(endsWith?: string) {
  const test = createTestSystem();
  const drain = new Drain(test.clock, test.log);
  const directory: GatewayDirectory = new Map();
  const started: ScriptedGateway[] = [];
  const start = async () => {
    const process = scriptedGateway(started.length + 1, endsWith);
    started.push(process);
    return process;
  };
  const definition = gatewayProcessActor({ id: 'process-1', start, directory, drain, graceMs: 1000 });
  const actor = test.system.spawn('process-1', definition) as Ref<GatewayProcessMessage> & LiveActor;
  await settled();
  const [first] = started;
  if (first === undefined) throw new Error('nothing was started');
  const renew = () => actor.ask<string | undefined>((reply) => ({ type: 'renew', reply }), 1_000_000);
  return { ...test, drain, directory, started, first, actor, renew };
}

t.test('it is as ready as its process, and says what that waits for', async (t) => {
  const { actor, first, directory, system } = await run();
  t.equal(directory.get('process-1'), first);
  t.equal(actor.behaviour?.ready?.(), false);
  first.say({ problems: { 'vello/gateway/grants': 'no Redis' } });
  t.strictSame(system.snapshotOf('process-1')?.facts, {
    ...{ pid: 1001, slot: 1 },
    problem: 'vello/gateway/grants: no Redis',
  });
  first.say({ isReady: true, waitingFor: [] });
  t.equal(actor.behaviour?.ready?.(), true);
  t.strictSame(system.snapshotOf('process-1')?.facts, { pid: 1001, slot: 1 });
  await system.stop();
  t.strictSame(first.did, ['stop']);
  t.equal(directory.size, 0);
});

t.test('the death of its process is its failure, and names the last words', async (t) => {
  const { actor, first } = await run();
  first.end('signal SIGSEGV');
  await settled();
  t.match(actor.exitReason, {
    kind: 'crashed',
    error: { message: 'process-1 ended by itself (signal SIGSEGV): the last words' },
  });
});

t.test('one that no longer turns is killed, but not for a single look', async (t) => {
  const { actor, first, clock } = await run();
  const { lookMs, mostSilentMs } = LIMITS.gatewayProcesses;
  for (const silentMs of [mostSilentMs, mostSilentMs, mostSilentMs + 1, 0, mostSilentMs + 1]) {
    first.fallSilent(silentMs);
    await pass(clock, lookMs);
  }
  t.strictSame(first.did, []);
  await pass(clock, lookMs);
  t.strictSame(first.did, ['SIGKILL']);
  t.match(actor.exitReason, { kind: 'crashed' });
});

t.test('a renewal starts the successor, waits until it is ready, and only then lets the former go', async (t) => {
  const { actor, started, first, renew, directory, system } = await run();
  const renewed = renew();
  await settled();
  const [, second] = started;
  t.strictSame(first.did, []);
  t.equal(directory.get('process-1'), first);
  second?.say({ isReady: true });
  t.equal(await renewed, undefined);
  t.strictSame(first.did, ['hand over']);
  t.equal(directory.get('process-1'), second);
  await settled();
  t.equal(actor.exitReason, undefined, 'the end of the former is no failure');
  await system.stop();
  t.strictSame(second?.did, ['stop']);
});

t.test('a successor that ends, or cannot be started, costs nothing: the former serves on', async (t) => {
  const { actor, started, first, renew, directory, system } = await run();
  const renewed = renew();
  await settled();
  started[1]?.end('exit code 1');
  t.equal(await renewed, 'the new process did not become ready: the last words');
  t.equal(directory.get('process-1'), first);
  t.strictSame(first.did, []);
  await settled();
  t.equal(actor.exitReason, undefined);
  await system.stop();

  const test = createTestSystem();
  let starts = 0;
  const start = async () => {
    if ((starts += 1) > 1) throw new Error('no such file');
    return scriptedGateway(1);
  };
  const parts = { id: 'p', directory, drain: new Drain(test.clock, test.log), graceMs: 1000 };
  const other = test.system.spawn('p', gatewayProcessActor({ ...parts, start }));
  await settled();
  t.equal(await other.ask<string | undefined>((reply) => ({ type: 'renew', reply }), 1000), 'no such file');
});

t.test('a former that had to be cut off is named in the log, and replaced all the same', async (t) => {
  const { started, renew, log } = await run('exit code 3');
  const renewed = renew();
  await settled();
  started[1]?.say({ isReady: true });
  t.equal(await renewed, undefined);
  t.match(log.lines.at(-1), { level: 'warn', fields: { how: 'exit code 3' } });
});

t.test('the drain ends every process, and one that cut something off counts as cut off', async (t) => {
  const clean = await run();
  const renewed = clean.renew();
  await settled();
  t.strictSame(await clean.drain.run(5000), { cutOff: [] });
  t.strictSame(
    clean.started.map(({ did }) => did),
    [['stop'], ['stop', 'stop']],
    'also the one that was to follow',
  );
  t.match(await renewed, /did not become ready/);
  await settled();
  t.equal(clean.actor.exitReason, undefined, 'none is started again');
  const cut = await run('exit code 3');
  t.strictSame(await cut.drain.run(5000), { cutOff: ['finish: process-1'] });
});

t.test('one that is killed takes its process along at once', async (t) => {
  const { actor, first } = await run();
  actor.kill('it did not stop in time');
  await settled();
  t.strictSame(first.did, ['SIGKILL']);
});

t.test('one that comes up after all were stopped does not outlive them', async (t) => {
  for (const isKilled of [false, true]) {
    const { system, clock, log } = createTestSystem();
    const drain = new Drain(clock, log);
    const [first, late] = [scriptedGateway(1), scriptedGateway(2)];
    const starts: { readonly signal: AbortSignal; readonly comeUp: () => void }[] = [];
    const start = (signal: AbortSignal) =>
      starts.length === 0
        ? (starts.push({ signal, comeUp: () => undefined }), Promise.resolve(first))
        : new Promise<ScriptedGateway>((resolve) => starts.push({ signal, comeUp: () => resolve(late) }));
    const definition = gatewayProcessActor({ id: 'p', start, directory: new Map(), drain, graceMs: 1000 });
    const actor = system.spawn('p', definition) as Ref<GatewayProcessMessage> & LiveActor;
    await settled();
    const renewed = actor.ask<string | undefined>((reply) => ({ type: 'renew', reply }), 1000);
    const outcome = renewed.catch((error: unknown) => (error as Error).message);
    await settled();
    const [, second] = starts;
    let isDrained = false;
    if (isKilled) actor.kill('it did not stop in time');
    else void drain.run(5000).then(() => (isDrained = true));
    await settled();
    t.strictSame(first.did, [isKilled ? 'SIGKILL' : 'stop']);
    t.equal(second?.signal.aborted, true);
    t.equal(isDrained, false, 'it is waited for');
    second?.comeUp();
    await settled();
    t.strictSame(late.did, ['stop']);
    t.equal(late.isRunning(), false);
    t.equal(isDrained, !isKilled);
    if (!isKilled) t.equal(await outcome, 'p is to end');
  }
});
