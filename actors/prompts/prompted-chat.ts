/**
 * Turns a request that names a prompt (`/vello/process`) into one for a chat: the prompt, its variables filled, before the client's messages.
 * What was judged is what is sent, since it is written anew: no second reader can find anything else in it. Pure.
 */
import { escapePointer, invalidFields, MOST_PROBLEMS, VelloError } from '../../config/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import { fillPrompt, variablesOf, type SystemPrompt } from './system-prompt.ts';

export interface PromptedChat {
  readonly chat: object;
  /** Which text it was: `name@version`. */
  readonly prompt: string;
}

/** The words of these are the operator's, however a provider may read their case. */
const RESERVED_ROLES = ['system', 'developer'];

/** @throws VelloError `BAD_REQUEST`, `PROMPT_NOT_FOUND`, or `INVALID_FIELDS`, which lists every offending field */
export function promptChat(request: unknown, prompts: ReadonlyMap<string, SystemPrompt>): PromptedChat {
  if (!isObject(request)) throw new VelloError('BAD_REQUEST', 'The body must be a JSON object.');
  const { prompt: name, variables = {}, messages, ...others } = request;
  const prompt = typeof name === 'string' ? prompts.get(name) : undefined;
  if (typeof name === 'string' && prompt === undefined) {
    throw new VelloError('PROMPT_NOT_FOUND', `There is no prompt ${JSON.stringify(name.slice(0, 64))}.`);
  }
  const problems = new Map<string, string>();
  if (prompt === undefined) problems.set('/prompt', 'must be the name of a prompt');
  const values = readVariables(variables, prompt, problems);
  const said = readMessages(messages, problems);
  if (prompt === undefined || problems.size > 0) throw invalidFields('Some fields are invalid.', problems);
  const system = { role: 'system', content: fillPrompt(prompt.text, values) };
  return {
    chat: { ...others, messages: [system, ...said] },
    prompt: `${prompt.name}@${prompt.version}`,
  };
}

function readVariables(
  given: unknown,
  prompt: SystemPrompt | undefined,
  problems: Map<string, string>,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  if (!isObject(given)) {
    problems.set('/variables', 'must be an object');
    return values;
  }
  const names = prompt === undefined ? undefined : variablesOf(prompt.text);
  const { valueCharacters } = LIMITS.prompts;
  for (const [name, value] of Object.entries(given)) {
    if (problems.size >= MOST_PROBLEMS) break;
    const field = `/variables/${escapePointer(name)}`;
    if (names?.includes(name) === false) problems.set(field, 'is no variable of the prompt');
    else if (typeof value !== 'string') problems.set(field, 'must be a string');
    else if (value.length > valueCharacters) problems.set(field, `must have at most ${valueCharacters} characters`);
    else values.set(name, value);
  }
  for (const name of names ?? []) {
    if (!Object.hasOwn(given, name)) problems.set(`/variables/${name}`, 'is missing');
  }
  return values;
}

function readMessages(given: unknown, problems: Map<string, string>): readonly unknown[] {
  if (!Array.isArray(given)) {
    problems.set('/messages', 'must be an array');
    return [];
  }
  const messages: readonly unknown[] = given;
  for (const [at, message] of messages.entries()) {
    if (problems.size >= MOST_PROBLEMS) break;
    if (!isObject(message)) {
      problems.set(`/messages/${at}`, 'must be an object');
      continue;
    }
    const { role } = message;
    if (typeof role !== 'string') problems.set(`/messages/${at}/role`, 'must be a string');
    else if (RESERVED_ROLES.includes(role.trim().toLowerCase()))
      problems.set(`/messages/${at}/role`, 'belongs to the prompt');
  }
  return messages;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
