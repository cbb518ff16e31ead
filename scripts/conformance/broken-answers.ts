/** Cases: an answer that breaks is never taken for a complete one, and nothing of it ends up elsewhere. */
import type { RawClient } from './raw-client.ts';
import type { ScriptedRequest } from './scripted-upstream.ts';
import { no, within, yes, type ConformanceCase, type Finding, type Stage } from './stage.ts';

const SHORT = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"text":"begun';

export const BROKEN_ANSWER_CASES: readonly ConformanceCase[] = [
  {
    name: 'reset-stream',
    title: 'a reset of the provider in mid-stream is no clean end',
    pace: 'quick',
    on: (route) => route.answersInStream,
    async play(stage) {
      const { client, request } = await stage.askForStream();
      request.reset();
      return seenAsBroken(stage, client);
    },
  },
  {
    name: 'chunks-cut',
    title: 'a chunked answer that ends early is no clean end',
    pace: 'quick',
    on: (route) => route.answersInStream,
    async play(stage) {
      const { client, request } = await stage.askForStream();
      request.finish();
      return seenAsBroken(stage, client);
    },
  },
  {
    name: 'length-cut',
    title: 'an answer short of its length is no clean end',
    pace: 'quick',
    async play(stage) {
      const { client, request } = await stage.ask();
      request.send(SHORT);
      request.finish();
      return seenAsBroken(stage, client);
    },
  },
  {
    name: 'length-exceeded',
    title: 'what follows an answer is not the answer of the next',
    pace: 'quick',
    async play(stage) {
      const { client, request } = await stage.ask();
      const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
      request.send(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}${poison}`);
      const first = await stage.answerOf(client);
      if (first?.status !== 200 || first.body.toString() !== '{}') return yes(`refused, ${first?.status ?? 'closed'}`);
      const other = await stage.connect();
      other.send(stage.request());
      const next = stage.upstream.next();
      const isAsked = await within(1_000, next);
      if (isAsked) (await next).reply(200, { 'Content-Type': 'application/json' }, '{"own":1}');
      const second = await stage.answerOf(other);
      if (second?.body.includes('poison') === true) return no('POISONED');
      return isAsked && second?.body.toString() === '{"own":1}' ? yes() : no(`then ${second?.status ?? 'nothing'}`);
    },
  },
  {
    name: 'garbage',
    title: 'an answer that is no HTTP is a 502',
    pace: 'quick',
    async play(stage) {
      const { client, request } = await stage.ask();
      const answer = (to: ScriptedRequest) => {
        to.send('220 mail.example ESMTP\r\n\r\n');
        to.finish();
      };
      // What changes nothing may be asked again.
      void stage.upstream.next().then(answer);
      answer(request);
      return gatewayFailure(await stage.answerOf(client));
    },
  },
  {
    name: 'until-closed',
    title: 'an answer without length ends with its connection',
    pace: 'quick',
    async play(stage) {
      const { client, request } = await stage.ask();
      request.send('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"text":');
      request.send('"done"}');
      request.finish();
      const answer = await stage.answerOf(client);
      if (answer === undefined) return no('no answer');
      return answer.end === 'whole' && answer.body.toString() === '{"text":"done"}' ? yes() : no(answer.end);
    },
  },
  {
    name: 'no-repeat',
    title: 'what the provider has taken is not sent again',
    pace: 'quick',
    on: (route) => route.takesBody,
    async play(stage) {
      const { client, request } = await stage.ask();
      const again = stage.upstream.next();
      request.reset();
      const failure = gatewayFailure(await stage.answerOf(client));
      if (await within(200, again)) return no('sent again');
      return failure;
    },
  },
  {
    name: 'no-repeat-begun',
    title: 'nor is anything once the answer has begun',
    pace: 'quick',
    on: (route) => route.answersInStream,
    async play(stage) {
      const { request } = await stage.askForStream();
      const again = stage.upstream.next();
      request.reset();
      return (await within(200, again)) ? no('sent again') : yes();
    },
  },
];

async function seenAsBroken(stage: Stage, client: RawClient): Promise<Finding> {
  const answer = await stage.answerOf(client);
  if (answer === undefined) return client.isEnded() ? yes('yes, no answer') : no('hangs');
  if (answer.status >= 500) return yes(`yes, ${answer.status}`);
  if (answer.end === 'open') return no('hangs');
  return answer.end === 'whole' ? no('masked: clean end') : yes();
}

/** A 502, 503 or 504, whole. */
export function gatewayFailure(answer: { readonly status: number; readonly end: string } | undefined): Finding {
  if (answer === undefined) return no('no answer');
  if (answer.end !== 'whole') return no(`${answer.status}, ${answer.end}`);
  return [502, 503, 504].includes(answer.status) ? yes(String(answer.status)) : no(String(answer.status));
}
