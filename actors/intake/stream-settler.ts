/**
 * The end of a line: makes what became of entries durable, many at once, and answers when it is. First to start and last to stop:
 * it opens the stream, keeps the lease of all that the line owns while it lives, and when the line ends in order it gives up what is left
 * so that another consumer can go on at once.
 */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { EventStreams } from './event-stream.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ConsumerLine, SettlerMessage } from './consumer-line.ts';

export interface StreamSettlerParts {
  readonly streams: EventStreams;
  readonly metrics: Metrics;
}

type Outcome = Extract<SettlerMessage, { readonly type: 'outcome' }>;

export function streamSettler(line: ConsumerLine, parts: StreamSettlerParts): ActorDefinition<SettlerMessage> {
  return {
    type: 'stream-settler',
    handlerDeadlineMs: 15_000,
    start: async (ctx) => {
      const stream = await parts.streams.open(line.kind);
      line.stream = stream;
      line.settler = ctx.self;
      const renewEveryMs = line.leaseMs / 5;
      ctx.timers.every('renew', renewEveryMs, { type: 'renew' });
      let waiting: Outcome[] = [];

      const flush = async () => {
        const outcomes = waiting;
        waiting = [];
        try {
          const lost = [
            ...(await stream.settle(
              line.consumer,
              outcomes.flatMap(({ done }) => done),
            )),
            ...(await stream.move(
              line.consumer,
              'dlq',
              outcomes.flatMap(({ deferred }) => deferred),
            )),
            ...(await stream.move(
              line.consumer,
              'dead',
              outcomes.flatMap(({ abandoned }) => abandoned),
            )),
          ];
          if (lost.length > 0) ctx.log.warn('entries had been claimed by another', { stream: line.kind, lost });
          for (const { reply } of outcomes) reply.ok(undefined);
          parts.metrics.count('vello_events_total', { stream: line.kind, outcome: 'lost' }, lost.length);
        } catch (error) {
          const failure = error instanceof Error ? error : new Error(String(error));
          for (const { reply } of outcomes) reply.fail(failure);
          throw error;
        }
      };

      return {
        receive: (message) => {
          if (message.type === 'flush') return flush();
          if (message.type === 'renew') return stream.renew(line.consumer, renewEveryMs / 2);
          // The flush goes behind whatever is in the mailbox already, so that one round trip serves all of it.
          if (waiting.push(message) === 1) ctx.self.tell({ type: 'flush' });
          return undefined;
        },
        stop: async (reason) => {
          for (const { reply } of waiting) reply.fail(new Error('the line is ending'));
          try {
            const released = await stream.release(line.consumer);
            if (released > 0) ctx.log.info('released entries', { stream: line.kind, released, exit: reason.kind });
          } catch (error) {
            // They are claimed once their lease has run out.
            ctx.log.warn('could not release entries', { stream: line.kind, error });
          }
          line.stream = undefined;
          line.settler = undefined;
          stream.close();
        },
        describe: () => ({ stream: line.kind, waiting: waiting.length }),
      };
    },
  };
}
