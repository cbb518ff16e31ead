/** Where the gateway leaves its usage events. */
import type { UsageEvent } from './usage-event.ts';

export interface EventSink {
  /** A request was admitted: this is its event should this process die before it ends. Never fails. */
  admit(event: UsageEvent): void;
  /**
   * Takes the event at once and never fails. `onDurable` is called once the death of this process cannot take it any more, at the end of
   * this turn of the event loop; or, where neither disk nor stream takes it, when it has been waited for long enough.
   */
  emit(event: UsageEvent, onDurable?: () => void): void;
}
