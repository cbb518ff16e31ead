/** Holds names, sizes and habits that a linter does not see. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { listFiles, projectFolder, readSources, type Source } from '../fixtures/source-files.ts';

const sourceFolders = ['config', 'actors', 'transports', 'supervisors', 'scripts'];
const sources = readSources(sourceFolders);
const tests = readSources(['test']);
const everyFile = listFiles([...sourceFolders, 'test', 'docs', '.ci']);
const paths = (files: readonly Source[]) => files.map(({ path }) => path);

/** Drawers: names that say nothing about what is inside. */
const drawers = [
  ...['utils', 'util', 'helpers', 'helper', 'common', 'misc'],
  ...['types', 'shared', 'manager', 'service', 'index'],
];
const longestSource = 400;
const longestTest = 500;

t.test('file names are kebab-case', async (t) => {
  t.strictSame(
    everyFile.filter((path) => !/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(basename(path))),
    [],
  );
});

t.test('no file name is a drawer, or ends in a number for want of a name', async (t) => {
  const odd = paths([...sources, ...tests]).filter((path) => {
    const name = basename(path).replace(/(\.test)?\.ts$/, '');
    return drawers.includes(name) || /[-_.]\d+$/.test(name);
  });
  t.strictSame(odd, []);
});

t.test('each file opens with a sentence on what it decides', async (t) => {
  // A test's titles are its sentences.
  const fixtures = tests.filter(({ path }) => !path.endsWith('.test.ts'));
  t.strictSame(paths([...sources, ...fixtures].filter(({ text }) => !/^\/\*\*\s+(\* )?\S/.test(text))), []);
});

t.test(`no source is longer than ${longestSource} lines, no test than ${longestTest}`, async (t) => {
  const length = ({ text }: Source) => text.trimEnd().split('\n').length;
  const long = [
    ...sources.filter((source) => length(source) > longestSource),
    ...tests.filter((source) => length(source) > longestTest),
  ];
  t.strictSame(
    long.map((source) => `${source.path}: ${length(source)} lines`),
    [],
  );
});

t.test('each test file holds a test; what is no test is below test/fixtures/', async (t) => {
  const isTest = ({ path }: Source) => path.endsWith('.test.ts');
  t.strictSame(paths(tests.filter((source) => isTest(source) && !/\btest\(/.test(source.text))), []);
  t.strictSame(paths(tests.filter((source) => !isTest(source) && !/(^|\/)fixtures\//.test(source.path))), []);
  t.strictSame(paths(sources.filter(isTest)), []);
});

t.test('no comment puts something off', async (t) => {
  const putOff = [...sources, ...tests].filter((source) =>
    commentsOf(source).some((comment) => /\b(TODO|FIXME|XXX|HACK)\b/.test(comment)),
  );
  t.strictSame(paths(putOff), []);
});

t.test('no source uses any', async (t) => {
  t.strictSame(sources.flatMap(findAny), []);
});

t.test('nothing names the machine it was written on, or a registry that serves packages', async (t) => {
  const registries = ['npmjs', 'yarnpkg', 'npmmirror'].map((name) => `${name}\\.(org|com)`);
  const suspicious = new RegExp(`(^|["'\`\\s(=])/(work|home|root|Users)/\\w|${registries.join('|')}`, 'm');
  const rootFiles = [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'package.json',
    'package-lock.json',
  ];
  const texts = [...everyFile, ...rootFiles].filter((path) =>
    /(\.(ts|mjs|js|md|json|sql|lua|sh|ya?ml|conf|html|css)|run)$/.test(path),
  );
  t.strictSame(
    texts.filter((path) => suspicious.test(readIfThere(path))),
    [],
  );
});

t.test('durations say their unit: no number is called a timeout, delay or interval', async (t) => {
  const unitless = /\b\w*(?:[tT]imeout|[dD]elay|[iI]nterval|[dD]uration)\??: number/;
  t.strictSame(paths(sources.filter(({ text }) => unitless.test(text))), []);
});

/**
 * A constant of a module that is written out (numbers, texts, patterns, and lists and tables of them) is UPPER_SNAKE; functions, instances,
 * caches and all else that a module makes for itself are camelCase. In tests, whose constants are examples, either will do.
 */
t.test('constants that are written out are UPPER_SNAKE, functions and instances are not', async (t) => {
  t.strictSame(sources.flatMap(findOddConstants), []);
  const planted = {
    path: 'planted.ts',
    text: [
      'const graceMs = 5 * SECOND_MS;',
      "const names = ['a', 'b'] as const;",
      'const line = /^a/;',
      'const derived = { a: graceMs };',
      'const Text = Type.String();',
      'const RUN = () => 1;',
      'const TABLE = new Registry();',
      'const cache = new Map();',
      "const known = new Set(['a']);",
      "const run = (): string => 'a';",
      'const LIMIT = 5;',
    ].join('\n'),
  };
  t.strictSame(findOddConstants(planted), [
    ...['graceMs', 'names', 'line', 'derived', 'Text', 'RUN', 'TABLE', 'known'].map((name) => `planted.ts: ${name}`),
  ]);
});

t.test('an exported name means one thing in the whole tree', async (t) => {
  // By these the command line and the benchmarks load their modules.
  const loaded = ['command', 'run'];
  const homes = new Map<string, string[]>();
  for (const source of sources) {
    for (const name of exportedNames(source)) homes.set(name, [...(homes.get(name) ?? []), source.path]);
  }
  t.ok(homes.size > 500, `${homes.size} names`);
  t.strictSame(
    [...homes].filter(([name, files]) => files.length > 1 && !loaded.includes(name)),
    [],
  );
});

function readIfThere(path: string): string {
  try {
    return readFileSync(join(projectFolder, path), 'utf8');
  } catch {
    return '';
  }
}

/** Comments only: a title or a message may well speak of such words. */
function commentsOf({ path, text }: Source): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const comments: string[] = [];
  const visit = (node: ts.Node) => {
    for (const range of ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []) {
      comments.push(text.slice(range.pos, range.end));
    }
    for (const range of ts.getTrailingCommentRanges(text, node.getEnd()) ?? []) {
      comments.push(text.slice(range.pos, range.end));
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return comments;
}

/** `file:line` of each. */
function findAny({ path, text }: Source): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const found: string[] = [];
  const visit = (node: ts.Node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      found.push(`${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const isUpperSnake = (name: string) => /^[A-Z][A-Z0-9_]*$/.test(name);

const isCollection = (made: ts.NewExpression) => /^(Set|Map|RegExp)$/.test(made.expression.getText());

/** `file: name` of each constant of the module that is not written as its value asks. */
function findOddConstants({ path, text }: Source): string[] {
  const writtenOut = new Set<string>();
  const odd: string[] = [];
  for (const statement of ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true).statements) {
    if (!ts.isVariableStatement(statement) || !(statement.declarationList.flags & ts.NodeFlags.Const)) continue;
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (initializer === undefined || !ts.isIdentifier(name)) continue;
      const isData = isWrittenOut(initializer, writtenOut);
      if (isData) writtenOut.add(name.text);
      const isMade = ts.isFunctionLike(initializer) || (ts.isNewExpression(initializer) && !isCollection(initializer));
      const isFine = isUpperSnake(name.text) ? isData || !isMade : !isData && /^[a-z]/.test(name.text);
      if (!isFine) odd.push(`${path}: ${name.text}`);
    }
  }
  return odd;
}

/** Literals, and what consists of them; an empty collection is there to be filled. `known` are such constants by their names. */
function isWrittenOut(node: ts.Expression, known: ReadonlySet<string>): boolean {
  const all = (parts: readonly (ts.Expression | undefined)[]) =>
    parts.length > 0 && parts.every((part) => part !== undefined && isWrittenOut(part, known));
  if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node) || ts.isParenthesizedExpression(node)) {
    return all([node.expression]);
  }
  if (ts.isIdentifier(node)) return isUpperSnake(node.text) || known.has(node.text);
  if (ts.isPropertyAccessExpression(node) || ts.isSpreadElement(node)) return all([node.expression]);
  if (ts.isPrefixUnaryExpression(node)) return all([node.operand]);
  if (ts.isBinaryExpression(node)) return all([node.left, node.right]);
  if (ts.isTemplateExpression(node)) return all(node.templateSpans.map(({ expression }) => expression));
  if (ts.isArrayLiteralExpression(node)) return all(node.elements);
  if (ts.isObjectLiteralExpression(node)) {
    return all(
      node.properties.map((property) => {
        if (ts.isPropertyAssignment(property)) return property.initializer;
        if (ts.isShorthandPropertyAssignment(property)) return property.name;
        return ts.isSpreadAssignment(property) ? property.expression : undefined;
      }),
    );
  }
  if (ts.isNewExpression(node)) return isCollection(node) && all(node.arguments ?? []);
  return ts.isLiteralExpression(node) || [ts.SyntaxKind.TrueKeyword, ts.SyntaxKind.FalseKeyword].includes(node.kind);
}

/** Each once, be it a type, a value or both. */
function exportedNames({ path, text }: Source): ReadonlySet<string> {
  const names = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true).statements.flatMap((statement) => {
    const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
    if (!modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
    if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name);
    return 'name' in statement ? [statement.name as ts.Identifier] : [];
  });
  return new Set(names.map((name) => name.getText()));
}
