/** Architecture, "Drain on SIGTERM": whoever is being answered when the end begins gets the whole answer, and the event for it survives. */
import { Redis } from 'ioredis';
import t from 'tap';
import { recording, wordsOf } from '../fixtures/recordings.ts';
import { runVello } from '../fixtures/running-vello.ts';

t.test(
  'an end asked for in the middle of an answer waits for the answer, refuses newcomers, and loses no event',
  async (t) => {
    const vello = await runVello(t, { environment: { VELLO_DRAIN_MS: '60000' } });
    const { text: spoken, bytes } = recording('garden-16k.flac');
    const desktop = vello.desktop();
    const { userId } = await desktop.register();
    const token = await desktop.accessToken();

    const pieces: string[] = [];
    let ended: Promise<void> | undefined;
    for await (const piece of desktop.transcribe(bytes, { model: 'moonshine-tiny', fileName: 'garden.flac' })) {
      pieces.push(piece);
      if (ended !== undefined) continue;
      ended = vello.stop();
      const headers = { authorization: `Bearer ${token}`, connection: 'close' };
      const comes = () => fetch(`${vello.gatewayUrl}/v1/models`, { headers });
      const isServed = () =>
        comes().then(
          () => true,
          () => false,
        );
      // It closes in a moment in which nobody stands at the door; whoever comes until then is served.
      let isOpen = true;
      while (isOpen) isOpen = await isServed();
      await t.rejects(comes(), 'the gateway accepts nobody new');
    }
    await ended;

    const heard = new Set(wordsOf(pieces.join('')));
    t.ok(wordsOf(spoken).filter((word) => heard.has(word)).length >= wordsOf(spoken).length * 0.85, pieces.join(''));
    t.match(vello.logged(), /"phase":"finish"/);
    t.notMatch(vello.logged(), /while a read waited/, 'what interrupts itself does not call that a failure');
    const redis = new Redis(vello.redis.url);
    t.teardown(() => redis.disconnect());
    const waiting = await redis.xlen('modelsgateway:events:transcribe');
    const jobs = await vello.database`select id from jobs where user_id = ${userId}`;
    t.equal(waiting + jobs.length, 1, 'the event has become a job, or waits on its stream');
  },
);
