/** Sees to what dead consumers leave: has every line look for unfinished entries, and lets Redis forget consumers that are long gone. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { ConsumerLine } from './consumer-line.ts';

type JanitorMessage = { readonly type: 'sweep' } | { readonly type: 'forget' };

const FORGET_EVERY_MS = 10 * 60 * 1000;
/** A consumer that was silent this long and owns nothing will not come back: its name held the process id. */
const SILENT_MS = 60 * 60 * 1000;

/** `sweepEveryMs` beyond its lease, an entry of a dead consumer is taken over. */
export function streamJanitor(lines: readonly ConsumerLine[], sweepEveryMs: number): ActorDefinition<JanitorMessage> {
  return {
    type: 'stream-janitor',
    start: (ctx) => {
      ctx.timers.every('sweep', sweepEveryMs, { type: 'sweep' });
      ctx.timers.every('forget', FORGET_EVERY_MS, { type: 'forget' });
      let forgotten = 0;
      return {
        receive: async ({ type }) => {
          for (const line of lines) {
            if (type === 'sweep') line.reader?.tell({ type: 'sweep' });
            else forgotten += (await line.stream?.forgetConsumers(SILENT_MS)) ?? 0;
          }
        },
        describe: () => ({ forgotten }),
      };
    },
  };
}
