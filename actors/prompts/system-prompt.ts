/** A named system prompt: which texts can be one, the variables that they mention, and what they say once those are filled. Pure. */
import { LIMITS } from '../../config/limits.ts';

export interface SystemPrompt {
  readonly name: string;
  /** From 1; each change is a new one. */
  readonly version: number;
  readonly text: string;
  /** Unix time. Of two texts of one name, the one that was made later counts. */
  readonly madeAtMs: number;
}

/** Safe in a header, in a path and on a command line. */
export const PROMPT_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

const VARIABLE = /\{\{([a-z][a-z0-9_]{0,63})\}\}/g;

/** Names of the variables that a text mentions as `{{name}}`, each once, in the order of their first mention. */
export function variablesOf(text: string): readonly string[] {
  return [...new Set([...text.matchAll(VARIABLE)].map(([, name = '']) => name))];
}

/** What is wrong with a text that shall become a prompt; `undefined` where it can. */
export function faultOfPrompt(text: string): string | undefined {
  const { textCharacters, mentions } = LIMITS.prompts;
  if (text.trim() === '') return 'The text is empty.';
  if (text.length > textCharacters)
    return `The text has ${text.length} characters, and at most ${textCharacters} are taken.`;
  const rest = text.replace(VARIABLE, '');
  const at = rest.indexOf('{{');
  // Whoever misspells a variable shall hear of it, and not the model.
  if (at !== -1) return `${JSON.stringify(rest.slice(at, at + 20))} opens no variable: they are written {{like_this}}.`;
  const mentioned = [...text.matchAll(VARIABLE)].length;
  return mentioned > mentions
    ? `The text mentions variables ${mentioned} times, and at most ${mentions} are taken.`
    : undefined;
}

/** The text with each mention of a variable replaced by its value, as it is: what a value holds is never read as a mention. */
export function fillPrompt(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(VARIABLE, (mention, name: string) => values.get(name) ?? mention);
}
