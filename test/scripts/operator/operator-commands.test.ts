import t from 'tap';
import { execFile } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGrantTable } from '../../../actors/admission/grant-table.ts';
import { streamKey } from '../../../config/streams.ts';
import { connectRedis } from '../../../transports/redis/connection/connect.ts';
import { createGrantPublisher } from '../../../transports/redis/grants/grant-publisher.ts';
import { createGrantSource } from '../../../transports/redis/grants/grant-source.ts';
import { insertAccount } from '../../fixtures/account.ts';
import { realClock } from '../../fixtures/api-listener.ts';
import { createMigratedDatabase, TEST_SECRET_KEY } from '../../fixtures/migrated-database.ts';
import { startRedis } from '../../fixtures/redis.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';
import { projectFolder } from '../../fixtures/source-files.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

const { admin, adminUrl } = await createMigratedDatabase(t);
const redis = await startRedis(t);
const home = temporaryFolder(t);

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Types command lines one after the other, as a person would, against this test's database and Redis. One process for all. */
async function vello(...lines: readonly (readonly string[])[]): Promise<readonly Ended[]> {
  const main = join(projectFolder, 'build', 'scripts', 'main.js');
  const script = `
    const { main } = await import(${JSON.stringify(main)});
    console.error = console.log;
    for (const line of JSON.parse(process.argv[1])) {
      const code = await main(line);
      console.log('\\0' + code + '\\0');
    }
    process.exit();`;
  const environment = {
    PATH: process.env['PATH'],
    VELLO_HOME: home,
    VELLO_DATABASE_URL: adminUrl,
    VELLO_REDIS_URL: redis.url,
    VELLO_SECRET_KEY: TEST_SECRET_KEY,
  };
  const output = await new Promise<string>((resolve) => {
    const args = ['--input-type=module', '-e', script];
    execFile(process.execPath, [...args, '--', JSON.stringify(lines)], { env: environment }, (_, stdout) =>
      resolve(stdout),
    );
  });
  const parts = output.split('\0');
  return lines.map((_, index) => ({ code: Number(parts[index * 2 + 1]), output: parts[index * 2] ?? '' }));
}

t.test('credits are given, shown and audited, and a suspended user is let in again within a second', async (t) => {
  const { userId, deviceId } = await insertAccount(admin, { balance: 0 });
  const log = createMemoryLog();
  const command = await connectRedis({ url: redis.url, use: 'command', name: 'test', log });
  t.teardown(() => command.disconnect());
  const grants = createGrantPublisher(command, realClock);
  await grants.issue({ tokenHash: 'hash', userId, deviceId, familyId: 'f', expiresAtMs: Date.now() + 600_000 });
  await grants.suspend(userId);
  const table = createGrantTable(() => Date.now());
  const stop = new AbortController();
  const openReader = () => connectRedis({ url: redis.url, use: 'blocking', name: 'test-reader', log });
  let applied = () => undefined as unknown;
  const follower = {
    apply: (operation: Parameters<typeof table.apply>[0]) => {
      table.apply(operation);
      applied();
    },
    caughtUp: () => undefined,
    lost: () => undefined,
  };
  const following = createGrantSource({ redis: command, openReader, log }).follow(follower, stop.signal);
  const reinstated = new Promise<void>((resolve) => {
    applied = () => table.lookup('hash')?.suspended !== true && table.lookup('hash') !== undefined && resolve();
  });

  const grant = ['credits', 'grant', userId, '250', '--reason', 'a test', '--key', 'k1'];
  const [first, again, shown, audited, deeds] = await vello(
    grant,
    grant,
    ['credits', 'show', userId],
    ['credits', 'audit'],
    ['deeds', userId],
  );
  t.match(first, { code: 0, output: /has 250 credits/ });
  await reinstated;
  stop.abort();
  await following;
  t.match(again, { code: 0, output: /nothing more was given/ });
  t.match(shown, { code: 0, output: /Balance 250 after 1 entry[^]*grant +250 +250/ });
  t.match(audited, { code: 0, output: /Every balance is the sum of its ledger/ });
  t.match(deeds, { code: 0, output: /credits grant/ });
  await admin`update users_credits set balance = 1 where user_id = ${userId}`;
  t.match(await vello(['credits', 'audit']), [{ code: 1, output: new RegExp(userId) }]);
});

t.test(
  'service keys are issued, rotated, listed and revoked; their private halves are for their owner alone',
  async (t) => {
    t.match(await vello(['service-key', 'issue', 'reporter']), [{ code: 0, output: /may sign for reporter/ }]);
    const file = join(home, 'keys', 'reporter.pem');
    t.equal(statSync(file).mode & 0o777, 0o600);
    const first = readFileSync(file, 'utf8');
    t.equal(createPrivateKey(first).asymmetricKeyType, 'ed25519');
    const small = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]).toString('base64url');
    const ended = await vello(
      ['service-key', 'issue', 'reporter'],
      ['service-key', 'rotate', 'reporter', '--overlap', '1'],
      ['service-key', 'rotate', 'stranger'],
      ['service-key', 'issue', 'reporter', '--public-key', small],
      ['service-key', 'list', 'reporter'],
      ['service-key', 'revoke', 'reporter'],
      ['service-key', 'list', 'reporter'],
    );
    t.match(ended, [
      { code: 1, output: /holds a key already/ },
      { code: 0, output: /another 1 hour;/ },
      { code: 1, output: /SERVICE_UNKNOWN/ },
      { code: 1, output: /AUTH_KEY_INVALID/ },
      { code: 0, output: /works until[^]*works\n/ },
      { code: 0, output: /2 keys revoked/ },
      { code: 0, output: /revoked[^]*revoked/ },
    ]);
    t.not(readFileSync(file, 'utf8'), first);
  },
);

t.test(
  'hardware is blocked and unblocked by one of its devices, and its deeds are found by each of them',
  async (t) => {
    const { userId, deviceId } = await insertAccount(admin);
    const { deviceId: sibling } = await insertAccount(admin);
    await admin`update devices set hardware_id = (select hardware_id from devices where id = ${deviceId}) where id = ${sibling}`;
    await admin`insert into auth_events (id, user_id, device_id, kind) values (gen_random_uuid(), ${userId}, ${deviceId}, 'device_revoked')`;
    const ended = await vello(
      ['device', 'block', deviceId, '--reason', 'abuse'],
      ['device', 'blocks'],
      ['device', 'unblock', deviceId, '--reason', 'settled'],
      ['device', 'blocks'],
      ['deeds', deviceId],
      ['deeds', sibling],
      ['deeds', 'nobody'],
    );
    t.match(ended, [
      { code: 0, output: /is blocked/ },
      { output: /operator[^]*abuse/ },
      { code: 0, output: /lifted/ },
      { output: /Nothing is blocked/ },
      { code: 0, output: /device unblock[^]*settled[^]*device block [^]*abuse[^]*the owner +device revoked/ },
      { code: 0, output: /device unblock[^]*device block / },
      { code: 0, output: /Nothing is known of nobody/ },
    ]);
  },
);

t.test('the only copy of an event is discarded where that is said, and the deed says which it was', async (t) => {
  const command = await connectRedis({ url: redis.url, use: 'command', name: 'test', log: createMemoryLog() });
  t.teardown(() => command.disconnect());
  const origin = ['origin_stream', streamKey('process'), 'origin_id', '7-0'];
  const id = String(await command.xadd(streamKey('dead'), '*', 'event_id', 'e-1', 'error', 'API_REJECTED', ...origin));
  const ended = await vello(
    ['dlq', 'discard', id],
    ['dlq', 'discard', id, '--unrecorded'],
    ['deeds', `${streamKey('process')} 7-0`],
  );
  t.match(ended, [
    { code: 1 },
    { code: 0, output: /discarded, the only copy/ },
    { code: 0, output: /dlq discard[^]*"event_id":"e-1"[^]*"unrecorded":true/ },
  ]);
  t.equal(await command.xlen(streamKey('dead')), 0);
});

t.test('a prompt is written, shown, listed and brought back, and its deeds are on record', async (t) => {
  const file = (name: string, text: string | Buffer) => {
    writeFileSync(join(home, name), text);
    return ['--file', join(home, name)];
  };
  const set = ['prompts', 'set', 'tidy', '--reason'];
  const ended = await vello(
    ['prompts', 'list'],
    [...set, 'begin', ...file('one', 'Write in {{language}}.\nBe brief.\n')],
    [...set, 'again', ...file('one', 'Write in {{language}}.\nBe brief.\n')],
    [...set, 'better', ...file('two', 'Speak.\n')],
    ['prompts', 'show', 'tidy'],
    ['prompts', 'rollback', 'tidy', '1', '--reason', 'it was better'],
    ['prompts', 'show', 'tidy'],
    ['prompts', 'show', 'tidy', '--version', '2'],
    ['prompts', 'list'],
    ['prompts', 'history', 'tidy'],
    ['deeds', 'tidy'],
  );
  t.match(ended, [
    { code: 0, output: /There are no prompts/ },
    { code: 0, output: /tidy@1 is in force, with language\./ },
    { code: 0, output: /tidy@1 says that already/ },
    { code: 0, output: /tidy@2 is in force\./ },
    { code: 0, output: /^\s*Speak\.\s*$/ },
    { code: 0, output: /tidy@3 is in force, with the text of tidy@1/ },
    { code: 0, output: /^\s*Write in \{\{language\}\}\.\nBe brief\.\s*$/ },
    { code: 0, output: /Speak/ },
    { code: 0, output: /tidy +3 [^]* language/ },
    { code: 0, output: / 3 [^]* 1 +it was better\n +2 [^]*better\n +1 [^]*begin/ },
    { code: 0, output: /prompts rollback [^]*prompts set [^]*prompts set / },
  ]);
  const refused = await vello(
    [...set, 'x', ...file('bad', 'Hello {{ name }}')],
    [...set, 'x', ...file('nul', 'a\0b')],
    [...set, 'x', ...file('latin', Buffer.from([0x68, 0xe4]))],
    [...set, 'x', '--file', join(home, 'no-such-file')],
    ['prompts', 'set', 'tidy', ...file('one', 'Speak.')],
    ['prompts', 'set', 'Tidy', '--reason', 'x'],
    ['prompts', 'show', 'nothing'],
    ['prompts', 'show', 'tidy', '--version', '7'],
    ['prompts', 'show', 'tidy', '--version', 'x'],
    ['prompts', 'history', 'nothing'],
    ['prompts', 'rollback', 'tidy', '9', '--reason', 'x'],
    ['prompts', 'rollback', 'tidy', '--reason', 'x'],
    ['prompts'],
  );
  t.match(refused, [
    { code: 1, output: /opens no variable/ },
    { code: 1, output: /U\+0000/ },
    { code: 1, output: /not UTF-8/ },
    { code: 1, output: /cannot be read/ },
    { code: 2, output: /--reason/ },
    { code: 2, output: /name has up to 64/ },
    { code: 1, output: /no prompt nothing/ },
    { code: 1, output: /no tidy@7/ },
    { code: 2, output: /whole number/ },
    { code: 1, output: /no prompt nothing/ },
    { code: 1, output: /no tidy@9/ },
    { code: 2, output: /which version/ },
    { code: 2, output: /set, list, show, history or rollback/ },
  ]);
});

t.test('what cannot be done says why and what to do', async (t) => {
  const nobody = '0190a0a0-0000-7000-8000-000000000000';
  const ended = await vello(
    ['credits', 'grant', 'x', '1', '--reason', 'y'],
    ['credits', 'grant', nobody, '1'],
    ['credits', 'show', nobody],
    ['credits'],
    ['signing-key', 'list'],
  );
  t.match(ended, [
    { code: 2, output: /not an id/ },
    { code: 2, output: /--reason/ },
    { code: 1, output: /no user/ },
    { code: 2, output: /grant, show or audit/ },
    { code: 0 },
  ]);
});
