/** Brings the numbers of the actor types to the Metrics port, at each scrape and only then. */
import type { Metrics } from '../ports/metrics.ts';
import type { Kernel, LiveActor } from './kernel.ts';
import type { DurationHistogram, TypeStats } from './type-stats.ts';

export function publishMetrics(kernel: Kernel, metrics: Metrics): void {
  const sent = new Map<TypeStats, Sent>();
  metrics.onScrape(() => {
    const depths = depthsByType(kernel.roots.values());
    for (const stats of kernel.allStats()) {
      stats.settle();
      let before = sent.get(stats);
      if (before === undefined) sent.set(stats, (before = new Sent()));
      publishType(stats, before, depths.get(stats.type) ?? { max: 0, sum: 0 }, metrics);
    }
  });
}

/** What was already sent of a type: counters of the port take differences. */
class Sent {
  readonly #totals = new Map<string, number>();
  readonly #buckets = new Map<string, { readonly counts: Float64Array; sumMs: number }>();

  grown(name: string, total: number): number {
    const by = total - (this.#totals.get(name) ?? 0);
    if (by > 0) this.#totals.set(name, total);
    return by;
  }

  grownHistogram(name: string, now: DurationHistogram): { readonly counts: Float64Array; readonly sumMs: number } {
    let before = this.#buckets.get(name);
    if (before === undefined) {
      before = { counts: new Float64Array(now.counts.length), sumMs: 0 };
      this.#buckets.set(name, before);
    }
    const { counts } = before;
    const grown = {
      counts: now.counts.map((count, bucket) => count - (counts[bucket] ?? 0)),
      sumMs: now.sumMs - before.sumMs,
    };
    counts.set(now.counts);
    before.sumMs = now.sumMs;
    return grown;
  }
}

interface Depth {
  max: number;
  sum: number;
}

function publishType(stats: TypeStats, sent: Sent, depth: Depth, metrics: Metrics): void {
  const type = { type: stats.type };
  metrics.gauge('vello_actor_live', type, stats.live);
  metrics.gauge('vello_actor_stuck', type, stats.stuck);
  metrics.gauge('vello_actor_mailbox_depth_max', type, depth.max);
  metrics.gauge('vello_actor_mailbox_messages', type, depth.sum);

  const send = (key: string, total: number, count: (by: number) => void) => {
    const by = sent.grown(key, total);
    if (by > 0) count(by);
  };
  send('started', stats.started, (by) => metrics.count('vello_actor_started_total', type, by));
  send('failures', stats.failures, (by) => metrics.count('vello_actor_failures_total', type, by));
  send('restarts', stats.restarts, (by) => metrics.count('vello_actor_restarts_total', type, by));
  send('messages', stats.messages, (by) => metrics.count('vello_actor_messages_total', type, by));
  send('dropped', stats.dropped, (by) => metrics.count('vello_actor_mailbox_dropped_total', type, by));
  send('budgets', stats.budgetsExhausted, (by) =>
    metrics.count('vello_actor_restart_budgets_exhausted_total', type, by),
  );
  for (const [reason, total] of Object.entries(stats.stopped)) {
    send(`stopped ${reason}`, total, (by) => metrics.count('vello_actor_stopped_total', { ...type, reason }, by));
  }
  for (const [reason, total] of Object.entries(stats.deadLetters)) {
    send(`dead ${reason}`, total, (by) => metrics.count('vello_actor_dead_letters_total', { ...type, reason }, by));
  }
  for (const [outcome, total] of Object.entries(stats.asks)) {
    send(`ask ${outcome}`, total, (by) => metrics.count('vello_actor_asks_total', { ...type, outcome }, by));
  }
  for (const [name, histogram] of [
    ['vello_actor_handler_seconds', stats.handler],
    ['vello_actor_mailbox_wait_seconds', stats.wait],
    ['vello_actor_ask_seconds', stats.askTime],
  ] as const) {
    const { counts, sumMs } = sent.grownHistogram(name, histogram);
    if (counts.some((count) => count > 0)) metrics.addObservations(name, type, counts, sumMs / 1000);
  }
}

function depthsByType(roots: Iterable<LiveActor>): Map<string, Depth> {
  const depths = new Map<string, Depth>();
  const visit = (actors: Iterable<LiveActor>): void => {
    for (const actor of actors) {
      const depth = depths.get(actor.type);
      if (depth === undefined) depths.set(actor.type, { max: actor.mailboxDepth, sum: actor.mailboxDepth });
      else {
        depth.max = Math.max(depth.max, actor.mailboxDepth);
        depth.sum += actor.mailboxDepth;
      }
      if (actor.children !== undefined) visit(actor.children.values());
    }
  };
  visit(roots);
  return depths;
}
