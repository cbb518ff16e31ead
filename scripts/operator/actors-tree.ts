/** Draws a snapshot of the actors as text: a line each, below its supervisor. Pure. */
import type { ActorGroupSnapshot, ActorSnapshot, SystemSnapshot } from '../../actors/kernel/snapshot.ts';
import { count } from '../count.ts';

const MARKS: Readonly<Record<ActorSnapshot['status'], string>> = {
  running: '●',
  busy: '◐',
  stuck: '✖',
  starting: '◌',
  waiting: '◌',
  stopping: '◌',
  backoff: '↻',
  ended: '○',
};
const NAME_WIDTH = 44;

/** `before`, an earlier snapshot of the same process, adds how many dead letters came since. */
export function drawTree(snapshot: SystemSnapshot, before?: SystemSnapshot): string {
  const lines = snapshot.tree.flatMap((root) => drawActor(root, '', ''));
  return [header(snapshot, before), '', ...lines].join('\n');
}

function header({ uptimeMs, liveActors, deadLetters }: SystemSnapshot, before: SystemSnapshot | undefined): string {
  const total = sum(deadLetters.counts);
  const since = before === undefined ? 0 : total - sum(before.deadLetters.counts);
  const reasons = Object.entries(deadLetters.counts).filter(([, count]) => count > 0);
  const detail = reasons.length === 0 ? '' : ` (${reasons.map(([reason, count]) => `${reason} ${count}`).join(', ')})`;
  return `up ${duration(uptimeMs)}, ${count(liveActors, 'actor')}, ${count(total, 'dead letter')}${detail}${since > 0 ? ` +${since}` : ''}`;
}

function drawActor(actor: ActorSnapshot, ownPrefix: string, childPrefix: string): string[] {
  const name = `${ownPrefix}${MARKS[actor.status]} ${actor.id}`;
  const below = [
    ...(actor.children ?? []).map((child) => (own: string, next: string) => drawActor(child, own, next)),
    ...(actor.groups ?? []).map((group) => (own: string) => [drawGroup(group, own)]),
  ];
  const lines = below.flatMap((draw, index) => {
    const isLast = index === below.length - 1;
    return draw(`${childPrefix}${isLast ? '└─ ' : '├─ '}`, `${childPrefix}${isLast ? '   ' : '│  '}`);
  });
  return [`${name.padEnd(NAME_WIDTH)}${notesOf(actor).join('  ')}`.trimEnd(), ...lines];
}

function drawGroup(
  { type, count, byStatus, deepestMailbox, longestHandler }: ActorGroupSnapshot,
  prefix: string,
): string {
  const statuses = Object.entries(byStatus).map(([status, actors]) => `${actors} ${status}`);
  const notes = [
    ...(statuses.length > 1 || byStatus.running === undefined ? [statuses.join(', ')] : []),
    ...(deepestMailbox.depth > 0 ? [`deepest mailbox ${deepestMailbox.depth} (${deepestMailbox.id})`] : []),
    ...(longestHandler ? [`longest at work ${duration(longestHandler.elapsedMs)} (${longestHandler.id})`] : []),
  ];
  return `${`${prefix}${count} × ${type}`.padEnd(NAME_WIDTH)}${notes.join('  ')}`.trimEnd();
}

/** Only what is worth a look: a quiet actor shows its name and nothing else. */
function notesOf(actor: ActorSnapshot): string[] {
  const { supervision, status, backoffMs, handling, mailboxDepth = 0, restarts = 0, facts = {} } = actor;
  return [
    ...(supervision
      ? [
          `${supervision.strategy} ${supervision.restartsUsed}/${supervision.intensity} in ${duration(supervision.periodMs)}`,
        ]
      : []),
    ...(status === 'running' ? [] : [status]),
    ...(status === 'backoff' && backoffMs !== undefined ? [`again in ${duration(backoffMs)}`] : []),
    ...(restarts > 0 ? [count(restarts, 'restart')] : []),
    ...(mailboxDepth > 0 ? [`mailbox ${mailboxDepth}`] : []),
    ...(handling && handling.elapsedMs >= 1 ? [`${handling.message} for ${duration(handling.elapsedMs)}`] : []),
    ...Object.entries(facts).map(([name, value]) => `${name}=${value}`),
  ];
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
