/** The supervisors that own all device sessions: shards, so that none has all of them to start, find and stop. */
import type { SessionMessage } from '../actors/sessions/device-session.ts';
import type { SessionShard } from '../actors/sessions/session-directory.ts';
import { LIMITS } from '../config/limits.ts';
import { supervisor, type ChildSpec } from './child-spec.ts';
import { DynamicChildren } from './dynamic-children.ts';

export interface DesktopSessions {
  /** `sessions`, with a child for each shard. */
  readonly child: ChildSpec;
  /** What the session directory places sessions in. */
  readonly shards: readonly SessionShard[];
}

export function desktopSessions(): DesktopSessions {
  const handles = Array.from({ length: LIMITS.sessions.shards }, () => new DynamicChildren());
  const budget = { strategy: 'oneForOne', intensity: 10, periodMs: 10_000 } as const;
  const shards = handles.map((dynamic, index) =>
    supervisor(`shard-${String(index).padStart(2, '0')}`, { ...budget, children: [], dynamic }),
  );
  return {
    child: supervisor('sessions', { ...budget, children: shards }),
    shards: handles.map((handle) => ({
      start: (id, definition) => handle.start(id, definition),
      find: (id) => handle.find<SessionMessage>(id),
    })),
  };
}
