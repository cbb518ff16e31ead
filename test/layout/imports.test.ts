/** Holds the direction of imports: config <- actors <- transports <- supervisors <- scripts, without a cycle of files or rooms, types included. */
import { dirname, join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { readSources, type Source } from '../fixtures/source-files.ts';

const layers = ['config', 'actors', 'transports', 'supervisors', 'scripts'];

interface Edge {
  readonly from: string;
  readonly to: string;
}

const sources = readSources(layers);
const edges = sources.flatMap(findEdges);

t.test('no folder imports from one above it', async (t) => {
  const upward = edges.filter(({ from, to }) => layer(to) > layer(from));
  t.strictSame(upward, []);
});

t.test('imports form no cycle, type imports included', async (t) => {
  t.strictSame(findCycles(edges), []);
});

t.test('rooms of one folder form no cycle, and the ports of the actors know nothing but facts', async (t) => {
  const technologies = new Set(sources.flatMap(({ path }) => /^transports\/[^/]+/.exec(path)?.[0] ?? []));
  for (const folder of ['actors', 'transports', ...technologies]) {
    t.strictSame(findCycles(betweenRooms(edges, folder)), [], folder);
  }
  const isPort = (path: string) => path.startsWith('actors/ports/');
  t.strictSame(
    edges.filter(({ from, to }) => isPort(from) && !isPort(to) && layer(to) > layer('config')),
    [],
  );
});

t.test('roles know nothing of each other', async (t) => {
  const isRole = (path: string) => path.startsWith('supervisors/roles/');
  t.strictSame(
    edges.filter(({ from, to }) => isRole(from) && isRole(to)),
    [],
  );
});

t.test('each import of ours names a source that exists, by its own name', async (t) => {
  const known = new Set(sources.map(({ path }) => path));
  t.strictSame(
    edges.filter(({ to }) => !known.has(to) && !to.endsWith('.mjs')),
    [],
  );
});

t.test('no file has a default export, and none only passes on the exports of others', async (t) => {
  const offenders = sources.filter((source) => {
    const statements = parse(source).statements;
    const isDefault = statements.some(
      (statement) =>
        ts.isExportAssignment(statement) ||
        (ts.canHaveModifiers(statement) &&
          (ts.getModifiers(statement) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword)),
    );
    const passedOn = statements.filter((statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier);
    return isDefault || (statements.length > 0 && passedOn.length === statements.length);
  });
  t.strictSame(
    offenders.map(({ path }) => path),
    [],
  );
});

t.test('one wrapper touches native responses and sockets: nothing else knows their types', async (t) => {
  const allowed = ['door', 'native-response', 'native-socket', 'request-head', 'server'].map(
    (name) => `transports/http/server/${name}.ts`,
  );
  const users = sources.filter(({ path, text }) => /from '#uws'/.test(text) && !path.startsWith('scripts/bench/'));
  t.strictSame(users.map(({ path }) => path).sort(), allowed);
});

t.test('the detector of cycles finds one', async (t) => {
  const planted = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'c' },
    { from: 'c', to: 'a' },
  ];
  t.equal(findCycles(planted).length, 1);
  const files = [
    { from: 'actors/a/x.ts', to: 'actors/b/y.ts' },
    { from: 'actors/b/z.ts', to: 'actors/a/w.ts' },
  ];
  t.equal(findCycles(files).length, 0);
  t.equal(findCycles(betweenRooms(files, 'actors')).length, 1, 'of rooms too');
});

/** The imports inside `folder` that leave a room for another one; its own files are a room as well. */
function betweenRooms(all: readonly Edge[], folder: string): Edge[] {
  const roomOf = (path: string) => path.slice(folder.length + 1).match(/^[^/]+(?=\/)/)?.[0] ?? '.';
  return all
    .filter(({ from, to }) => from.startsWith(`${folder}/`) && to.startsWith(`${folder}/`))
    .map(({ from, to }) => ({ from: roomOf(from), to: roomOf(to) }))
    .filter(({ from, to }) => from !== to);
}

function layer(path: string): number {
  return layers.indexOf(path.split('/')[0] ?? '');
}

function parse({ path, text }: Source): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, false);
}

/** Static imports, type imports and re-exports; dynamic imports are how the command line loads a command, and count as well. */
function findEdges(source: Source): Edge[] {
  const found: string[] = [];
  const take = (node: ts.Node | undefined) => {
    if (node !== undefined && ts.isStringLiteral(node)) found.push(node.text);
  };
  const visit = (node: ts.Node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) take(node.moduleSpecifier);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) take(node.arguments[0]);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) take(node.argument.literal);
    ts.forEachChild(node, visit);
  };
  visit(parse(source));
  return found
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => ({ from: source.path, to: join(dirname(source.path), specifier) }));
}

/** Each cycle once, as the files on it. */
function findCycles(all: readonly Edge[]): string[][] {
  const next = new Map<string, string[]>();
  for (const { from, to } of all) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const cycles: string[][] = [];
  const walk = (file: string, path: string[]) => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const target of next.get(file) ?? []) walk(target, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) walk(file, []);
  return cycles;
}
