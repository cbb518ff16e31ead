/** `vello prompts`: writes, shows and restores the system prompts that `/vello/process` names. */
import { readFileSync } from 'node:fs';
import { faultOfPrompt, PROMPT_NAME, variablesOf } from '../../actors/prompts/system-prompt.ts';
import { isStorable } from '../../actors/events/field-codecs.ts';
import {
  listPrompts,
  readPromptHistory,
  rollBackPrompt,
  setPrompt,
  type PromptVersion,
} from '../../transports/postgres/prompts/system-prompts.ts';
import { CommandError, UsageError, type Command, type Invocation } from '../command.ts';
import { textTable } from '../text-table.ts';
import { asOperator, type Operator } from './as-operator.ts';

export const command: Command = {
  usage:
    'prompts set <name> --reason <text> [--file <path>] | list | show <name> | history <name> | rollback <name> <version> --reason <text>',
  doc:
    'set       Makes a text the newest version of a prompt; the text comes from the file, or from the standard input. Its variables are\n' +
    '          written {{like_this}}, and a request must give a value for each.\n' +
    'list      Every prompt with its newest version and its variables.\n' +
    'show      The text of the newest version, or of another.\n' +
    'history   Every version: when, who, why.\n' +
    'rollback  Makes the text of an earlier version the newest one.\n' +
    'Gateways use a new version within seconds, once an api runs.',
  flags: {
    file: { type: 'string', value: 'path', doc: 'Where the text is (set).' },
    reason: { type: 'string', value: 'text', doc: 'Why, for the history and the audit log (set, rollback).' },
    version: { type: 'string', value: 'number', doc: 'Another version than the newest (show).' },
  },
  operands: 3,
  async run(invocation) {
    const [action, name = '', version = ''] = invocation.operands;
    if (action === 'list') return asOperator(list);
    if (action === undefined || !['set', 'show', 'history', 'rollback'].includes(action)) {
      throw new UsageError('Say set, list, show, history or rollback');
    }
    if (!PROMPT_NAME.test(name)) {
      throw new UsageError(
        "A prompt's name has up to 64 of a-z, 0-9, '.', '_' and '-', and begins with one of the first two",
      );
    }
    switch (action) {
      case 'set':
        return set(name, invocation);
      case 'show':
        return asOperator((operator) => show(operator, name, wholeVersion(invocation.text('version'))));
      case 'history':
        return asOperator((operator) => history(operator, name));
      default: {
        const restores = wholeVersion(version);
        if (restores === undefined) throw new UsageError('Say which version');
        const reason = reasonOf(invocation);
        return asOperator((operator) => rollBack(operator, name, restores, reason));
      }
    }
  },
};

async function set(name: string, invocation: Invocation): Promise<number> {
  const reason = reasonOf(invocation);
  const text = readText(invocation.text('file'));
  const fault = isStorable(text) ? faultOfPrompt(text) : 'The text holds U+0000.';
  if (fault !== undefined) throw new CommandError(fault);
  return asOperator(async ({ sql, name: operator }) => {
    const { version, isNew } = await setPrompt(sql, { name, text, operator, reason });
    console.log(isNew ? `${name}@${version} is in force${mentioning(text)}.` : `${name}@${version} says that already.`);
    return 0;
  });
}

async function list({ sql }: Operator): Promise<number> {
  const rows = (await listPrompts(sql)).map(({ name, version, at, author, text }) => [
    ...[name, version, at.toISOString(), author],
    variablesOf(text).join(', '),
  ]);
  console.log(
    rows.length === 0 ? 'There are no prompts.' : textTable(['name', 'version', 'since', 'by', 'variables'], rows),
  );
  return 0;
}

async function show({ sql }: Operator, name: string, version: number | undefined): Promise<number> {
  const versions = await historyOf(sql, name);
  const shown = version === undefined ? versions[0] : versions.find((one) => one.version === version);
  if (shown === undefined) throw new CommandError(`There is no ${name}@${version}.`);
  console.log(shown.text);
  return 0;
}

async function history({ sql }: Operator, name: string): Promise<number> {
  const rows = (await historyOf(sql, name)).map(({ version, at, author, reason, restores }) => [
    ...[version, at.toISOString(), author, restores ?? ''],
    reason,
  ]);
  console.log(textTable(['version', 'at', 'who', 'restores', 'why'], rows));
  return 0;
}

async function rollBack(
  { sql, name: operator }: Operator,
  name: string,
  restores: number,
  reason: string,
): Promise<number> {
  const version = await rollBackPrompt(sql, { name, restores, operator, reason });
  if (version === undefined) throw new CommandError(`There is no ${name}@${restores}.`);
  console.log(`${name}@${version} is in force, with the text of ${name}@${restores}.`);
  return 0;
}

async function historyOf(sql: Operator['sql'], name: string): Promise<readonly PromptVersion[]> {
  const versions = await readPromptHistory(sql, name);
  if (versions.length === 0) throw new CommandError(`There is no prompt ${name}.`);
  return versions;
}

/** Without the line break that editors put at the end. */
function readText(path: string | undefined): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path ?? STANDARD_INPUT);
  } catch (error) {
    throw new CommandError(`The text cannot be read: ${(error as Error).message}`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).trimEnd();
  } catch {
    throw new CommandError('The text is not UTF-8.');
  }
}

const STANDARD_INPUT = 0;

function mentioning(text: string): string {
  const variables = variablesOf(text);
  return variables.length === 0 ? '' : `, with ${variables.join(', ')}`;
}

function reasonOf(invocation: Invocation): string {
  const reason = invocation.text('reason');
  if (reason === undefined || reason.trim() === '') throw new UsageError('Say why: --reason <text>');
  return reason;
}

function wholeVersion(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError('A version is a whole number from 1');
}
