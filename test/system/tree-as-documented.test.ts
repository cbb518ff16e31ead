/** docs/architecture.md shows the tree as it is: GET /actors of a whole running Vello, and what `vello actors` draws of it, are compared with it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { SystemSnapshot } from '../../actors/kernel/snapshot.ts';
import { drawTree } from '../../scripts/operator/actors-tree.ts';
import { runVello } from '../fixtures/running-vello.ts';
import { projectFolder } from '../fixtures/source-files.ts';

interface Documented {
  readonly id: string;
  readonly strategy: string | undefined;
  readonly children: Documented[];
}

interface Live {
  readonly id: string;
  readonly path: string;
  readonly supervision?: { readonly strategy: string };
  readonly children?: readonly Live[];
}

/** Three columns a level: `│  ├─ id  strategy  what it is`. */
function readDocumentedTree(): Documented {
  const text = readFileSync(join(projectFolder, 'docs/architecture.md'), 'utf8');
  const lines = (/```tree\n([^]*?)```/.exec(text)?.[1] ?? '').trimEnd().split('\n');
  const open: Documented[] = [];
  for (const line of lines) {
    const [, indent = '', id = '', rest = ''] = /^([│├└─ ]*)(\S+)(.*)$/.exec(line) ?? [];
    const strategy = /^ +(oneForOne|oneForAll|restForOne)\b/.exec(rest)?.[1];
    const node: Documented = { id, strategy, children: [] };
    const depth = indent.length / 3;
    open[depth - 1]?.children.push(node);
    open[depth] = node;
  }
  const [root] = open;
  if (root === undefined) throw new Error('docs/architecture.md shows no tree');
  return root;
}

const isPlaceholder = ({ id }: Documented) => id.includes('<');
const matches = (documented: Documented, live: Live) => {
  const parts = documented.id.split(/<[^>]+>/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.+')}$`).test(live.id);
};

/** What differs, each with its path; empty when the two say the same. */
function differences(documented: Documented, live: Live): readonly string[] {
  const found = live.children ?? [];
  const expected = documented.children;
  const places = found.map((child) => expected.findIndex((candidate) => matches(candidate, child)));
  return [
    ...(documented.strategy === live.supervision?.strategy
      ? []
      : [`${live.path}: ${live.supervision?.strategy ?? ''}`]),
    ...found.flatMap((child, index) => (places[index] === -1 ? [`${child.path}: not in the document`] : [])),
    ...expected.flatMap((child, index) =>
      isPlaceholder(child) || places.includes(index) ? [] : [`${live.path}/${child.id}: only in the document`],
    ),
    ...(places.some((place, index) => place < (places[index - 1] ?? 0)) ? [`${live.path}: another order`] : []),
    ...found.flatMap((child, index) => {
      const counterpart = expected[places[index] ?? -1];
      return counterpart === undefined ? [] : differences(counterpart, child);
    }),
  ];
}

t.test('the tree in docs/architecture.md is the tree that runs', async (t) => {
  const vello = await runVello(t);
  const desktop = vello.desktop();
  const { deviceId } = await desktop.register();
  const connection = await desktop.connect({});
  const snapshot = (await (await fetch(`${vello.adminUrl}/actors`)).json()) as SystemSnapshot;
  const root: Live | undefined = snapshot.tree[0];
  if (root === undefined) throw new Error('no tree');
  t.match(JSON.stringify(root), `"id":"device-${deviceId}"`, 'the session of a connected desktop is part of it');
  const { children, ...rest } = readDocumentedTree();
  // Tests bring their own PostgreSQL and Redis.
  const documented = { ...rest, children: children.filter(({ id }) => id !== 'programs') };
  t.strictSame(differences(documented, root), []);
  const drawn = drawTree(snapshot);
  for (const { id } of documented.children) t.match(drawn, new RegExp(`[├└]─ ● ${id} `));
  await connection.close();
});
