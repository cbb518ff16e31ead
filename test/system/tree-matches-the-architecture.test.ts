/** The tree of a running Vello is the one that docs/architecture.md shows: same names, same order, same strategies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ActorSnapshot, SystemSnapshot } from '../../actors/kernel/snapshot.ts';
import { drawTree } from '../../scripts/actors-tree.ts';
import { runVello } from '../fixtures/running-vello.ts';
import { projectFolder } from '../fixtures/source-files.ts';

t.setTimeout(60_000);

interface Node {
  /** `<…>` in it stands for a name that depends on settings or on who is connected. */
  readonly name: string;
  readonly strategy: string;
  readonly children: Node[];
}

/** The drawing between the fences, read by its indentation: three characters a level. */
function drawnTree(): Node {
  const text = readFileSync(join(projectFolder, 'docs/architecture.md'), 'utf8');
  const drawing = /```tree\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const root: Node = { name: '', strategy: '', children: [] };
  const open = [root];
  for (const line of drawing.split('\n')) {
    const [, indent = '', name, strategy = ''] =
      /^([│├└─ ]*)(\S+)(?: +(oneForOne|oneForAll|restForOne))?/.exec(line) ?? [];
    if (name === undefined) continue;
    const node: Node = { name, strategy, children: [] };
    const depth = indent.length / 3;
    open[depth]?.children.push(node);
    open[depth + 1] = node;
  }
  const [vello = root] = root.children;
  return vello;
}

const pattern = (name: string): RegExp =>
  new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/<[^>]+>/g, '.+')}$`);

/** What differs between a drawn supervisor and the living one, by path. */
function differences(drawn: Node, living: ActorSnapshot): string[] {
  const children = living.children ?? [];
  const here = [
    ...(drawn.strategy === (living.supervision?.strategy ?? '') ? [] : [`${living.path}: drawn as ${drawn.strategy}`]),
  ];
  const order = children.map(({ id }) => drawn.children.findIndex(({ name }) => pattern(name).test(id)));
  for (const [index, child] of children.entries()) {
    if (order[index] === -1) here.push(`${child.path}: lives and is not drawn`);
    if ((order[index] ?? 0) < (order[index - 1] ?? 0)) here.push(`${child.path}: starts later than drawn`);
  }
  for (const [index, { name }] of drawn.children.entries()) {
    if (!name.includes('<') && !order.includes(index)) here.push(`${living.path}/${name}: drawn and does not live`);
  }
  const below = children.flatMap((child, index) => {
    const match = drawn.children[order[index] ?? -1];
    return match === undefined ? [] : differences(match, child);
  });
  return [...here, ...below];
}

t.test('vello actors shows the tree that docs/architecture.md shows', async (t) => {
  const vello = await runVello(t);
  const snapshot = (await (await fetch(`${vello.adminUrl}/actors`)).json()) as SystemSnapshot;
  const [root] = snapshot.tree;
  const drawn = drawnTree();
  t.ok(drawn.children.length > 5, 'there is a drawing');
  // The test brings its own databases, so that Vello starts none.
  const children = drawn.children.filter(({ name }) => name !== 'services');
  t.strictSame(root === undefined ? ['no root'] : differences({ ...drawn, children }, root), []);

  const shown = drawTree(snapshot);
  for (const { name } of children) t.match(shown, new RegExp(`[├└]─ ● ${name} `));
  await vello.stop();
});
