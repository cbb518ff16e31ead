/** Changes in the database that every process must hear of at once, whoever made them. */

export type AnnouncedTable = 'service_accounts' | 'service_keys' | 'signing_keys' | 'system_prompts';

export interface AnnouncedChanges {
  /**
   * Calls `changed` for each change, and without a table whenever the connection was lost and is back: something may have been
   * missed then. Resolves once it listens, to a function that ends it.
   */
  follow(changed: (table: AnnouncedTable | undefined) => void): Promise<() => Promise<void>>;
}
