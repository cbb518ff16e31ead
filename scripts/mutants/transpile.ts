/** Single sources to JavaScript, as the build would write them: with one fault, or telling which mutants a run could have noticed. */
import ts from 'typescript';
import type { Mutant } from './find-mutants.ts';

/** JavaScript of one source. Types are not checked. */
export function transpile(text: string): string {
  return ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText;
}

/** What several mutants of one expression have in common. */
export const placeOf = ({ path, start, end }: Mutant): string => `${path}:${start}-${end}`;

/**
 * The source with each mutated expression `e` as `(reached(place), e)`, so that a process that evaluates it writes the place down.
 * `recorder` is the URL of a module that exports `reached`.
 */
export function instrument(text: string, mutants: readonly Mutant[], recorder: string): string {
  const places = [...new Map(mutants.map((mutant) => [placeOf(mutant), mutant])).values()];
  const marks = places.flatMap((mutant) => [
    { at: mutant.start, ends: mutant.end, mark: `(reached$(${JSON.stringify(placeOf(mutant))}), ` },
    { at: mutant.end, ends: Infinity, mark: ')' },
  ]);
  // What ends at a point does so before the next begins; of several that begin there, the longest is the outermost.
  marks.sort((a, b) => a.at - b.at || (a.ends < b.ends ? 1 : a.ends > b.ends ? -1 : 0));
  let done = 0;
  let out = `import { reached as reached$ } from ${JSON.stringify(recorder)};\n`;
  for (const { at, mark } of marks) {
    out += text.slice(done, at) + mark;
    done = at;
  }
  return out + text.slice(done);
}

/** Appends at once: a process may be killed before it ends. The file's name is in the environment, which children inherit. */
export const RECORDER_SOURCE = `import { appendFileSync } from 'node:fs';
const seen = new Set();
let last;
export function reached(place) {
  const file = process.env.MUTANTS_REACHED;
  if (file !== last) seen.clear();
  last = file;
  if (file === undefined || seen.has(place)) return;
  seen.add(place);
  appendFileSync(file, place + '\\n');
}
`;
