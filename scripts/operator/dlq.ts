/** `vello dlq`: events that were given up, for the person who decides what becomes of them. */
import { storableText } from '../../actors/events/field-codecs.ts';
import { resolveDeadLetter } from '../../transports/postgres/operators/resolve-dead-letter.ts';
import { openDeadStream, type DeadEntry, type DeadStream } from '../../transports/redis/streams/dead-stream.ts';
import { CommandError, UsageError, type Command, type Invocation } from '../command.ts';
import { describeEntry, listEntries } from './dlq-text.ts';
import { asOperator, type Operator } from './as-operator.ts';

const SHOWN = 50;

export const command: Command = {
  usage: 'dlq list | show <id> | retry <id>… | discard <id>…',
  doc:
    'Usage events that could not be turned into jobs after 5, 15 and 45 seconds, or that were malformed.\n' +
    'list shows the newest, show one with every attempt, retry puts events back on the stream they came from, discard\n' +
    'deletes them (their record in the database stays; one without a record is left alone, unless --unrecorded says that its only copy\n' +
    'may go). An id is an entry id as list shows it.',
  flags: {
    all: { type: 'boolean', doc: 'retry, discard: every dead event.' },
    unrecorded: { type: 'boolean', doc: 'discard: also what is not in the database. The record of deeds says so.' },
    json: { type: 'boolean', doc: 'list, show: print JSON, one event a line.' },
  },
  operands: 1000,
  async run(invocation) {
    const [action = 'list', ...ids] = invocation.operands;
    const act = ACTIONS[action];
    if (act === undefined) throw new UsageError(`There is no '${action}', only ${Object.keys(ACTIONS).join(', ')}`);
    return asOperator((operator) =>
      operator.withRedis((redis) => act({ dead: openDeadStream(redis), operator, ids, invocation })),
    );
  },
};

interface Context {
  readonly dead: DeadStream;
  readonly operator: Operator;
  readonly ids: readonly string[];
  readonly invocation: Invocation;
}

async function list({ dead, invocation }: Context): Promise<number> {
  if (invocation.has('json')) {
    for await (const entry of dead.all()) console.log(JSON.stringify(entry));
    return 0;
  }
  const [length, entries] = await Promise.all([dead.length(), dead.newest(SHOWN)]);
  console.log(listEntries(entries, length));
  return 0;
}

async function show({ dead, ids, invocation }: Context): Promise<number> {
  const [id] = ids;
  if (id === undefined || ids.length > 1) throw new UsageError('show takes one id');
  const entry = await found(dead, id);
  console.log(invocation.has('json') ? JSON.stringify(entry) : describeEntry(entry));
  return 0;
}

const ACTIONS: Readonly<Record<string, (context: Context) => Promise<number>>> = {
  list,
  show,
  retry: (context) => end(context, 'retried', (entry) => context.dead.retry(entry)),
  discard: (context) =>
    end(context, 'discarded', (entry) => context.dead.discard(entry, context.invocation.has('unrecorded'))),
};

/** Acts on the stream first: the note of it can be made again, the act must not be noted without having happened. */
async function end(
  context: Context,
  resolution: 'retried' | 'discarded',
  act: (entry: DeadEntry) => Promise<string>,
): Promise<number> {
  let failures = 0;
  let count = 0;
  for await (const entry of chosen(context)) {
    count += 1;
    const outcome = await act(entry);
    if (outcome === resolution || outcome === 'discarded_unrecorded') {
      const { origin_stream: stream = '', origin_id: entryId = '' } = entry.fields;
      const detail = outcome === resolution ? {} : unrecorded(entry);
      const operator = context.operator.name;
      await resolveDeadLetter(context.operator.sql, { stream, entryId, resolution, operator, detail });
      console.log(`${entry.id} ${resolution}${outcome === resolution ? '' : ', the only copy'}`);
    } else {
      failures += 1;
      console.error(`${entry.id} left alone: ${REASONS[outcome] ?? outcome}`);
    }
  }
  if (count === 0) console.log('There is no dead event.');
  return failures === 0 ? 0 : 1;
}

const REASONS: Readonly<Record<string, string>> = {
  gone: 'it is not there any more',
  unknown_origin: 'it does not say which stream it came from',
  no_event: 'it is not the whole event',
  unrecorded:
    'it is not in the database: the collector is not running, or the api refuses to record it (see its log); save it with show --json, ' +
    'then discard it with --unrecorded',
};

/** What remains of an event that was deleted without a record: enough to find its request elsewhere. */
function unrecorded({ fields }: DeadEntry): Record<string, string | boolean> {
  const named = ['event_id', 'user_id', 'request_id', 'started_at', 'error'].map((name) => [name, fields[name] ?? '']);
  return {
    unrecorded: true,
    ...Object.fromEntries(named.map(([name = '', value = '']) => [name, storableText(value).slice(0, 200)])),
  };
}

async function* chosen({ dead, ids, invocation }: Context): AsyncIterable<DeadEntry> {
  if (invocation.has('all')) {
    if (ids.length > 0) throw new UsageError('Either ids or --all');
    yield* dead.all();
    return;
  }
  if (ids.length === 0) throw new UsageError('Say which: ids as `vello dlq list` shows them, or --all');
  for (const id of ids) yield await found(dead, id);
}

async function found(dead: DeadStream, id: string): Promise<DeadEntry> {
  if (!/^\d{1,20}-\d{1,20}$/.test(id)) throw new UsageError(`'${id}' is no entry id; they look like 1763700000000-0`);
  const entry = await dead.find(id);
  if (entry === undefined) throw new CommandError(`There is no dead event ${id}. See: vello dlq list`);
  return entry;
}
