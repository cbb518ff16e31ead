import t from 'tap';
import {
  checkSupervisorSpec,
  problemsOfChild,
  supervisor,
  worker,
  type ChildSpec,
  type SupervisorSpec,
} from '../../supervisors/child-spec.ts';
import { NO_BACKOFF } from '../../supervisors/backoff.ts';
import { DynamicChildren } from '../../supervisors/dynamic-children.ts';

const definition = { type: 'a', start: () => ({ receive: () => undefined }) };
const sound = (changes: object = {}): SupervisorSpec => ({
  strategy: 'oneForOne',
  intensity: 1,
  periodMs: 1000,
  children: [worker('a', definition)],
  ...changes,
});
const child = (changes: object): ChildSpec => ({ ...worker('a', definition), ...changes });

t.test('children are permanent; actors have five seconds to stop, supervisors what their children have', async (t) => {
  t.match(worker('a', definition), { id: 'a', restart: 'permanent', shutdownMs: 5000, type: 'worker' });
  t.match(supervisor('s', sound()), { id: 's', restart: 'permanent', shutdownMs: Infinity, type: 'supervisor' });
  t.match(worker('a', definition, { restart: 'transient', shutdownMs: 1 }), { restart: 'transient', shutdownMs: 1 });
  t.match(supervisor('s', sound(), { restart: 'temporary', shutdownMs: 1 }), { restart: 'temporary', shutdownMs: 1 });
  t.equal(worker('a', () => definition).start(), definition);
  t.match(supervisor('s', sound).start(), { strategy: 'oneForOne' });
});

t.test('each mistake of a supervisor is named alone, and what is at the edge is none', async (t) => {
  const dynamic = new DynamicChildren();
  for (const [changes, problem] of [
    [{}, undefined],
    [{ strategy: 'oneForAll', intensity: 0, periodMs: 0.5, backoff: NO_BACKOFF, children: [] }, undefined],
    [{ dynamic }, undefined],
    [{ strategy: 'restForOne', dynamic }, 'dynamic: needs oneForOne'],
    [{ strategy: 'never' }, 'strategy: never is none'],
    [{ intensity: -1 }, 'intensity: must be an integer, 0 or more'],
    [{ intensity: 1.5 }, 'intensity: must be an integer, 0 or more'],
    [{ periodMs: 0 }, 'periodMs: must be above zero'],
    [{ children: [child({}), child({})] }, 'child "a": id is taken by another'],
    [{ color: 'red' }, 'supervisor: unknown key color'],
  ] as const) {
    const check = () => checkSupervisorSpec(sound(changes));
    if (problem === undefined) t.doesNotThrow(check, JSON.stringify(changes));
    else t.throws(check, { code: 'ACTOR_SPEC_INVALID', message: problem });
  }
});

t.test('each mistake of a child is named alone, with the child', async (t) => {
  for (const [changes, ...problems] of [
    [{}],
    [{ shutdownMs: 0 }],
    [{ shutdownMs: -1 }, 'child "a": shutdownMs must be 0 or more'],
    [{ id: '' }, 'child "": id is not one'],
    [{ id: 'a/b' }, 'child "a/b": id is not one'],
    [{ id: 7 }, 'child 7: id is not one'],
    [{ start: definition }, 'child "a": start must be a function'],
    [{ restart: 'never' }, 'child "a": restart never is none'],
    [{ type: 'boss' }, 'child "a": type boss is none'],
    [{ type: 'supervisor' }],
    [{ color: 'red' }, 'child "a": unknown key color'],
  ] as const) {
    t.strictSame(problemsOfChild(child(changes)), problems, JSON.stringify(changes));
  }
});
