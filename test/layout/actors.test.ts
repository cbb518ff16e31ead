/**
 * Words of actors. What is sent to an actor, or told as a notice, says what it is by `type`; what is returned (a verdict, a decision, the reason
 * of an exit) says it by `kind`. The type of an actor is the noun of its definition in kebab-case, and labels its metrics.
 */
import { dirname, join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { readSources, type Source } from '../fixtures/source-files.ts';

type Files = ReadonlyMap<string, ts.SourceFile>;

const files = parse(readSources(['actors', 'transports', 'supervisors']));

t.test('every message of an actor says by `type` what it is', async (t) => {
  t.strictSame(findUntagged(files), []);
  const planted = parse([
    {
      path: 'a/told.ts',
      text: "export type Told = { readonly type: 'here' } | There; interface There { readonly kind: 'there' }",
    },
    {
      path: 'a/actors.ts',
      text: [
        "import type { Told } from './told.ts';",
        'interface Ended { readonly error: Error }',
        'export const a = (): ActorDefinition<Told> => define();',
        'export const b = (): ActorDefinition<Ended> => define();',
        "export const c = (): ActorDefinition<'try' | { readonly type: 'end' }> => define();",
        'export const d = (): ActorDefinition<never> => define();',
        'export const generic = <M>(definition: ActorDefinition<M>) => definition;',
      ].join('\n'),
    },
  ]);
  t.strictSame(findUntagged(planted), [
    "a/told.ts: { readonly kind: 'there' }",
    'a/actors.ts: { readonly error: Error }',
    "a/actors.ts: 'try'",
  ]);
});

t.test('types of actors are kebab-case, and no two definitions share one', async (t) => {
  const types = [...files].flatMap(([path, file]) => typesOfActors(file).map((type) => ({ path, type })));
  t.ok(types.length > 15, `${types.length} types`);
  t.strictSame(
    types.filter(({ type }) => !/^[a-z]+(-[a-z]+)*$/.test(type)),
    [],
  );
  const names = types.map(({ type }) => type);
  t.strictSame(
    types.filter(({ type }) => names.indexOf(type) !== names.lastIndexOf(type)),
    [],
  );
});

function parse(sources: readonly Source[]): Files {
  return new Map(
    sources.map(({ path, text }) => [path, ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)]),
  );
}

/** `path: type` of each message without a tag; type parameters are their callers' affair. */
function findUntagged(all: Files): string[] {
  const found = new Set<string>();
  const judge = (node: ts.TypeNode | ts.InterfaceDeclaration, file: ts.SourceFile): void => {
    if (ts.isUnionTypeNode(node)) for (const part of node.types) judge(part, file);
    else if (ts.isTypeReferenceNode(node)) {
      const named = resolve(node.typeName.getText(), file, all);
      if (named !== undefined) judge(named.node, named.file);
    } else if (node.kind !== ts.SyntaxKind.NeverKeyword) {
      const members = ts.isTypeLiteralNode(node) || ts.isInterfaceDeclaration(node) ? node.members : [];
      if (members.some((member) => member.name?.getText() === 'type')) return;
      found.add(`${file.fileName}: ${node.getText().replace(/^.*?(?=\{)/s, '')}`);
    }
  };
  for (const file of all.values()) {
    visit(file, (node) => {
      const isDefinition = ts.isTypeReferenceNode(node) && node.typeName.getText() === 'ActorDefinition';
      for (const message of isDefinition ? (node.typeArguments ?? []) : []) judge(message, file);
    });
  }
  return [...found];
}

/** The declaration of a type by its name, in this file or in the one it is imported from. */
function resolve(
  name: string,
  file: ts.SourceFile,
  all: Files,
): { readonly node: ts.TypeNode | ts.InterfaceDeclaration; readonly file: ts.SourceFile } | undefined {
  for (const statement of file.statements) {
    if (ts.isInterfaceDeclaration(statement) && statement.name.text === name) return { node: statement, file };
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === name) return { node: statement.type, file };
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const bindings = statement.importClause?.namedBindings;
    if (bindings === undefined || !ts.isNamedImports(bindings)) continue;
    if (!bindings.elements.some((element) => element.name.text === name)) continue;
    const from = all.get(join(dirname(file.fileName), statement.moduleSpecifier.text));
    return from === undefined ? undefined : resolve(name, from, all);
  }
  return undefined;
}

/** Of the definitions in a file: `{ type: '…', start… }`, or what is owned under a type. What has an `id` is a child, no definition. */
function typesOfActors(file: ts.SourceFile): string[] {
  const types: string[] = [];
  visit(file, (node) => {
    const properties = ts.isObjectLiteralExpression(node) ? node.properties : [];
    const valueOf = (name: string) => properties.find((property) => property.name?.getText() === name);
    const isDefinition = valueOf('start') !== undefined && valueOf('id') === undefined;
    const type = isDefinition ? valueOf('type') : undefined;
    const written =
      type !== undefined && ts.isPropertyAssignment(type)
        ? type.initializer
        : ts.isCallExpression(node) && node.expression.getText() === 'owned'
          ? node.arguments[0]
          : undefined;
    if (written !== undefined && ts.isStringLiteral(written)) types.push(written.text);
  });
  return types;
}

function visit(node: ts.Node, each: (node: ts.Node) => void): void {
  each(node);
  ts.forEachChild(node, (child) => visit(child, each));
}
