/** Cases: which headers of a request reach the provider. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { no, NOTHING_ASKED, within, yes, type ConformanceCase, type Finding } from './stage.ts';
import type { ScriptedRequest } from './scripted-upstream.ts';

const HOP_BY_HOP = ['keep-alive', 'proxy-authorization', 'proxy-connection', 'te', 'trailer'];

export const REQUEST_HEADER_CASES: readonly ConformanceCase[] = [
  {
    name: 'hop-by-hop',
    title: 'hop-by-hop headers end at the gateway',
    pace: 'quick',
    async play(stage) {
      const { request } = await stage.ask({
        lines: [
          ...['Keep-Alive: timeout=5', 'Proxy-Authorization: Basic eDp5', 'Proxy-Connection: keep-alive'],
          ...['TE: trailers', 'Trailer: X-Last'],
        ],
      });
      return passesOn(HOP_BY_HOP.filter((name) => request.header(name) !== undefined));
    },
  },
  {
    name: 'connection-named',
    title: 'so do those that Connection names',
    pace: 'quick',
    async play(stage) {
      const client = await stage.connect();
      client.send(stage.request({ lines: ['Connection: keep-alive, X-Hop', 'X-Hop: 1'] }));
      const next = stage.upstream.next();
      const answered = stage.answerOf(client, { withinMs: 500 });
      const request = await Promise.race([next, answered.then(() => undefined)]);
      if (request === undefined) return no(`refused, ${(await answered)?.status ?? 'no answer'}`);
      return passesOn(request.header('x-hop') === undefined ? [] : ['x-hop']);
    },
  },
  {
    name: 'credentials',
    title: "the caller's token, cookies, keys and claimed addresses are not passed on",
    pace: 'quick',
    async play(stage) {
      const secrets = {
        Cookie: 'session=secret-cookie',
        'X-Forwarded-For': '198.51.100.7',
        Forwarded: 'for=198.51.100.7',
        'X-Api-Key': 'secret-api-key',
      };
      const { request } = await stage.ask({
        lines: Object.entries(secrets).map(([name, value]) => `${name}: ${value}`),
      });
      const head = request.head.toLowerCase();
      const found = Object.entries(secrets).filter(([, value]) => head.includes(value));
      const names = found.map(([name]) => name.toLowerCase());
      return passesOn(head.includes(stage.arm.token) ? ['authorization', ...names] : names);
    },
  },
  {
    name: 'header-forged',
    title: 'a bare CR in a header writes no other one',
    pace: 'quick',
    async play(stage) {
      const client = await stage.connect();
      client.send(stage.request({ lines: ['Accept-Language: en\rX-Forged: yes', 'Accept: */*\rX-Forged: yes'] }));
      const answered = stage.answerOf(client, { withinMs: 500 });
      const request = await Promise.race([stage.upstream.next(), answered.then(() => undefined)]);
      if (request === undefined)
        return yes(String((await answered)?.status ?? (client.isEnded() ? 'closed' : 'unanswered')));
      return /^x-forged:/im.test(request.head) ? no('passes it on') : yes('yes, passed cleaned');
    },
  },
  {
    name: 'expect',
    title: '100-continue is answered, and is no affair of the provider',
    pace: 'quick',
    on: (route) => route.takesBody,
    async play(stage) {
      const client = await stage.connect();
      const body = stage.route.bodyOf(1_000);
      client.send(stage.head({ body, lines: ['Expect: 100-continue'] }));
      const next = stage.upstream.next();
      await Promise.race([client.when(() => client.receivedBytes > 0 || client.isEnded()), pause(700)]);
      const isContinued = client.text().startsWith('HTTP/1.1 100');
      if (!isContinued && client.receivedBytes > 0) return no(client.text().slice(9, 12));
      client.send(body);
      const request = await Promise.race([next, client.ended.then(() => undefined), pause(1_500)]);
      if (request === undefined)
        return no(`100, then ${/HTTP\/1.1 ([2-5]\d\d)/.exec(client.text())?.[1] ?? 'nothing'}`);
      await request.whole();
      const isPassedOn = request.header('expect') !== undefined;
      request.reply(200, { 'Content-Type': 'application/json' }, '{}');
      const answer = await stage.answerOf(client);
      if (answer?.status !== 200) return no(`100, then ${answer?.status ?? 'nothing'}`);
      if (isPassedOn) return no('passed on');
      return isContinued ? yes() : no('no 100');
    },
  },
  {
    name: 'expect-refused',
    title: 'who is not admitted is told so, and not to go on',
    pace: 'quick',
    on: (route) => route.takesBody,
    async play(stage) {
      if (!stage.arm.doesWholeJob) return NOTHING_ASKED;
      // One that says nothing, and one that nobody has heard of.
      for (const authorization of ['X-None: 1', `Authorization: Bearer ${randomUUID()}`]) {
        const client = await stage.connect();
        client.send(stage.head({ lines: ['Expect: 100-continue'], authorization }));
        await within(
          1_000,
          client.when(() => client.receivedBytes > 0 || client.isEnded()),
        );
        // A go-ahead in one packet with the refusal sends nobody on.
        if (client.text() === 'HTTP/1.1 100 Continue\r\n\r\n')
          return no(authorization === 'X-None: 1' ? '100 first' : '100 while it asks');
        if (!client.text().includes('HTTP/1.1 401 ')) return no(client.text().slice(9, 12) || 'no answer');
      }
      return yes();
    },
  },
  {
    name: 'key',
    title: "the provider gets its key in the token's place",
    pace: 'quick',
    async play(stage) {
      if (!stage.arm.doesWholeJob) return NOTHING_ASKED;
      const { request } = await stage.ask();
      return given(request, stage.arm.providerKey);
    },
  },
];

const given = (request: ScriptedRequest, key: string): Finding =>
  request.header('authorization') === `Bearer ${key}` ? yes() : no('no');

/** Both ways. */
export function passesOn(names: readonly string[]): Finding {
  return names.length === 0 ? yes() : no(`passes on ${names.length}`, `passes on ${names.join(', ')}`);
}
