/** Cases: which headers of an answer reach the client. */
import { passesOn } from './request-headers.ts';
import { no, yes, type ConformanceCase, type Stage } from './stage.ts';
import type { ScriptedRequest } from './scripted-upstream.ts';
import type { SeenAnswer } from './seen-answer.ts';

export const ANSWER_HEADER_CASES: readonly ConformanceCase[] = [
  {
    name: 'hop-by-hop-back',
    title: 'hop-by-hop headers of an answer end at the gateway',
    pace: 'quick',
    async play(stage) {
      const lines = ['Connection: X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=7, max=777', 'Proxy-Authenticate: Basic'];
      const answer = await answerWith(stage, lines);
      if (answer === undefined) return no('no answer');
      const named = ['x-hop', 'proxy-authenticate'].filter((name) => answer.values(name).length > 0);
      const passed = answer.values('keep-alive').some((value) => value.includes('777'))
        ? [...named, 'keep-alive']
        : named;
      return passesOn(passed);
    },
  },
  {
    name: 'once-each',
    title: 'Date, Server and what frames an answer stand there once',
    pace: 'quick',
    async play(stage) {
      const answer = await answerWith(stage, ['Date: Mon, 01 Jan 2024 00:00:00 GMT', 'Server: provider']);
      if (answer === undefined) return no('no answer');
      const names = ['date', 'server', 'content-length', 'transfer-encoding', 'content-type', 'connection'];
      const twice = names.filter((name) => answer.values(name).length > 1);
      return twice.length === 0 ? yes() : no(`twice: ${twice.join(', ')}`);
    },
  },
  {
    name: 'unbuffered',
    title: 'a stream asks whatever stands in front not to hold it (X-Accel-Buffering, no-transform)',
    pace: 'quick',
    on: (route) => route.answersInStream,
    async play(stage) {
      const { client, request } = await stage.askForStream();
      request.send('0\r\n\r\n');
      request.answered();
      const answer = await stage.answerOf(client);
      const isAsked = answer?.values('x-accel-buffering').join() === 'no';
      const isKept = /no-transform/.test(answer?.values('cache-control').join() ?? '');
      return isAsked && isKept ? yes() : no('no');
    },
  },
  {
    name: 'answer-forged',
    title: 'a bare CR in a header of the provider writes no other one',
    pace: 'quick',
    async play(stage) {
      const answer = await answerWith(stage, ['OpenAI-Version: 1\rX-Forged: yes', 'X-Any: 1\rX-Forged: yes']);
      if (answer === undefined || answer.status >= 500) return yes(`refused, ${answer?.status ?? 'closed'}`);
      return answer.values('x-forged').length === 0 ? yes() : no('passes it on');
    },
  },
  {
    name: 'trailers-back',
    title: 'trailers of an answer end at the gateway',
    pace: 'quick',
    on: (route) => route.answersInStream,
    async play(stage) {
      const { client, request } = await stage.askForStream();
      request.send('0\r\nX-Last: secret\r\n\r\n');
      const answer = await stage.answerOf(client);
      if (answer?.end !== 'whole') return no(answer?.end ?? 'no answer');
      return client.text().includes('X-Last') ? no('passes them on') : yes();
    },
  },
];

async function answerWith(stage: Stage, lines: readonly string[]): Promise<SeenAnswer | undefined> {
  const { client, request } = await stage.ask();
  const head = ['HTTP/1.1 200 OK', 'Content-Type: application/json', 'Content-Length: 2', ...lines];
  const answer = (to: ScriptedRequest) => to.send(`${head.join('\r\n')}\r\n\r\n{}`);
  // Who could not read it may ask again, where that changes nothing.
  void stage.upstream.next().then(answer);
  answer(request);
  return stage.answerOf(client);
}
