/** Cases: connections that are gone, a provider that is away, an end by SIGTERM, and a key that must not be seen. */
import { setTimeout as pause } from 'node:timers/promises';
import { gatewayFailure } from './broken-answers.ts';
import { chunk, EVENT, no, NOTHING_ASKED, STREAM_HEAD, within, yes, type ConformanceCase } from './stage.ts';

export const OUTAGE_CASES: readonly ConformanceCase[] = [
  {
    name: 'stale',
    title: 'a kept connection that the provider has closed costs no request',
    pace: 'quick',
    async play(stage) {
      for (let turn = 0; turn < 5; turn += 1) {
        const client = await stage.connect();
        client.send(stage.request());
        const next = stage.upstream.next();
        const failed = stage.answerOf(client).then(() => undefined);
        const request = await Promise.race([next, failed]);
        if (request === undefined) return no(`${(await stage.answerOf(client))?.status ?? 'lost'}`);
        await request.whole();
        request.reply(200, { 'Content-Type': 'application/json' }, '{}');
        const answer = await stage.answerOf(client);
        if (answer?.status !== 200) return no(`${answer?.status ?? 'lost'}`);
        stage.upstream.dropIdle();
        await pause(turn * 3);
      }
      return yes();
    },
  },
  {
    name: 'refused',
    title: 'a provider that is away is a 502 that says nothing of us',
    pace: 'quick',
    async play(stage) {
      stage.upstream.refuse();
      try {
        await pause(50);
        const client = await stage.connect();
        client.send(stage.request());
        const answer = await stage.answerOf(client, { withinMs: 8_000 });
        const port = new URL(stage.upstream.url).port;
        const told = ['127.0.0.1', port, 'ECONNREFUSED', stage.arm.providerKey].filter((word) =>
          client.text().includes(word),
        );
        return told.length === 0 ? gatewayFailure(answer) : no(`${answer?.status ?? ''} tells ${told[0] ?? ''}`);
      } finally {
        await stage.upstream.accept();
      }
    },
  },
  {
    name: 'key-kept',
    title: 'a provider that repeats its key does not give it away',
    pace: 'quick',
    async play(stage) {
      const { doesWholeJob, providerKey: key } = stage.arm;
      if (!doesWholeJob) return NOTHING_ASKED;
      const answers = [
        [
          `HTTP/1.1 401 No\r\nContent-Type: application/json\r\nX-Key: ${key}\r\nWWW-Authenticate: Bearer ${key}\r\n`,
          `{"error":{"message":"Incorrect API key: ${key}"}}`,
        ],
        [`HTTP/1.1 400 No\r\nContent-Type: application/json\r\n`, `{"error":{"message":"${key} sent this"}}`],
        [`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nOpenAI-Version: ${key}\r\n`, `{"text":"${key}"}`],
      ];
      for (const [head = '', body = ''] of answers) {
        const { client, request } = await stage.ask();
        request.send(`${head}Content-Length: ${body.length}\r\n\r\n`);
        request.send(body.slice(0, body.indexOf(key) + 9));
        await pause(20);
        request.send(body.slice(body.indexOf(key) + 9));
        await stage.answerOf(client);
        request.finish();
        if (client.text().includes(key)) return no(`in a ${client.text().slice(9, 12)}`);
      }
      return yes();
    },
  },
  {
    name: 'drain',
    title: 'SIGTERM lets a stream finish',
    pace: 'measured',
    on: (route) => route.answersInStream,
    async play(stage) {
      const other = await stage.arm.startAnother();
      const client = await stage.connect(other.url);
      client.send(stage.request({ asksForStream: true }));
      const request = await stage.upstream.next();
      await request.whole();
      request.send(STREAM_HEAD);
      request.send(chunk(EVENT));
      await client.until(EVENT);
      const stopped = other.stop(10_000);
      try {
        await Promise.race([client.ended, pause(700)]);
        request.send(chunk('data: last\n\n'));
        request.send('0\r\n\r\n');
        request.answered();
        const answer = await stage.answerOf(client);
        const isWhole = answer?.end === 'whole' && answer.body.includes('last');
        if (!isWhole) return no('cut');
        client.close();
        return (await within(8_000, stopped)) ? yes() : no('never ends');
      } finally {
        await stopped;
      }
    },
  },
];
