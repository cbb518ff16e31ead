/** Finds or opens the session of a device: which shard it belongs to, and what happens when two sockets arrive at once. */
import { createHash } from 'node:crypto';
import { LIMITS } from '../../config/limits.ts';
import type { ActorDefinition } from '../kernel/actor.ts';
import type { Ref } from '../kernel/ref.ts';
import { deviceSession, type Arrival, type SessionMessage, type SessionParts } from './device-session.ts';

/** The part of a supervisor's dynamic children that is needed here. */
interface SessionShard {
  start(id: string, definition: () => ActorDefinition<SessionMessage>): Ref<SessionMessage>;
  find(id: string): Ref<SessionMessage> | undefined;
}

export interface SessionDirectory {
  /**
   * Hands a socket to its device's session. `welcomed` rejects when a store is away or the session is about to end.
   * @throws Error while the device's shard restarts
   */
  arrive(arrival: Arrival): { readonly session: Ref<SessionMessage>; readonly welcomed: Promise<void> };
}

export function createSessionDirectory(shards: readonly SessionShard[], parts: SessionParts): SessionDirectory {
  const shardOf = (deviceId: string): SessionShard => {
    const shard = shards[createHash('sha256').update(deviceId).digest().readUInt32BE(0) % shards.length];
    if (shard === undefined) throw new Error('a session directory needs at least one shard');
    return shard;
  };
  return {
    arrive: (arrival) => {
      const { deviceId } = arrival.principal;
      const shard = shardOf(deviceId);
      const id = `device-${deviceId}`;
      const session = shard.find(id) ?? shard.start(id, () => deviceSession(parts, deviceId));
      const { welcomeMs } = LIMITS.sessions;
      return { session, welcomed: session.ask((reply) => ({ type: 'arrived', arrival, reply }), welcomeMs) };
    },
  };
}
