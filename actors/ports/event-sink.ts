/** Where the gateway leaves its usage events. */
import type { UsageEvent } from '../relay/usage-event.ts';

export interface EventSink {
  /** Takes the event at once and never fails: what cannot be sent is kept on disk and follows later. */
  emit(event: UsageEvent): void;
}
