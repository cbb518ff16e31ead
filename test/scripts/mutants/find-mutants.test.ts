import t from 'tap';
import { applyMutant, findMutants } from '../../../scripts/mutants/find-mutants.ts';
import { instrument, transpile } from '../../../scripts/mutants/transpile.ts';

/** `before → after` of each mutant. */
const mutate = (text: string) => findMutants('a.ts', text).map(({ before, after }) => `${before} → ${after}`);

const cases: Readonly<Record<string, readonly [source: string, mutants: readonly string[]]>> = {
  'a guard that never and always holds, and its bound': [
    'if (a < b) stop();',
    ['a < b → (a <= b)', 'a < b → false', 'a < b → true', 'stop() → void 0'],
  ],
  'what each operand decides alone': [
    'const x = a === b && !c;',
    ['a === b && !c → false', 'a === b && !c → true', 'a === b → true', '!c → true'],
  ],
  'the end of a loop, and never its endlessness': [
    'while (a > 0) a -= 1;',
    ['a > 0 → (a >= 0)', 'a > 0 → false', '0 → 1', 'a -= 1 → (a += 1)', '1 → 2'],
  ],
  'either side of a choice': ['const x = a ?? b;', ['a ?? b → (a)', 'a ?? b → (b)']],
  'numbers, truths and codes': [
    "use(1, true, 'CODE', 2n);",
    ["use(1, true, 'CODE', 2n) → void 0", '1 → 2', 'true → false', "'CODE' → 'mutated'", '2n → 3n'],
  ],
  'what is returned': [
    'const f = () => ({ a }); function g() { return [a]; } function h() { return a.b; }',
    ['({ a }) → ({})', '[a] → []', 'a.b → undefined'],
  ],
  'calls that could be left out or taken for others': [
    'const x = Math.max(a.trim(), b.some(c));',
    ['Math.max(a.trim(), b.some(c)) → Math.min(a.trim(), b.some(c))', 'a.trim() → a', 'b.some(c) → b.every(c)'],
  ],
  'sums without dissolving what they stand in': [
    'const x = (a + b) * c;',
    ['(a + b) * c → ((a + b) / c)', 'a + b → (a - b)'],
  ],
  'nothing in types, imports, logs and texts for people': [
    "import a from 'a'; interface B { c: 1 } type D = 'e'; log.warn('x', { y: 1 }); const f = 'two words' as 'g';",
    [],
  ],
};

for (const [name, [source, mutants]] of Object.entries(cases)) {
  t.test(`finds ${name}`, async (t) => t.strictSame(mutate(source), mutants));
}

t.test('a mutant stands on its line, and is put where it was found', async (t) => {
  const text = 'let a = 0;\n  if (a > 1) a = 2;\n';
  const mutant = findMutants('a.ts', text).find(({ after }) => after === 'false')!;
  t.match(mutant, { path: 'a.ts', line: 2, lineText: 'if (a > 1) a = 2;', before: 'a > 1' });
  t.equal(applyMutant(text, mutant), 'let a = 0;\n  if (false) a = 2;\n');
});

t.test('an instrumented source does what it did, and says what it evaluated', async (t) => {
  const text = "const pick = (a: number | undefined) => (a === undefined ? 'none' : a + 1); use(pick(4));";
  const reached: string[] = [];
  const recorder = `data:text/javascript,export const reached = (place) => globalThis.reachedPlaces.push(place)`;
  const used: unknown[] = [];
  Object.assign(globalThis, { reachedPlaces: reached, use: (value: unknown) => used.push(value) });
  const javascript = transpile(instrument(text, findMutants('a.ts', text), recorder));
  await import(`data:text/javascript,${encodeURIComponent(javascript)}`);
  t.strictSame(used, [5]);
  const read = reached.map((place) => text.slice(...(place.slice(5).split('-').map(Number) as [number, number])));
  t.strictSame(read, ['use(pick(4))', '4', 'a === undefined', 'a + 1', '1']);
});
