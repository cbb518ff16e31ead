/** What the store of identity needs done from time to time. */

export interface RecentRestrictions {
  /** Families that were revoked since then. */
  readonly familyIds: readonly string[];
  /** Users whose credits ran out since then, and still are. */
  readonly suspendedUserIds: readonly string[];
}

export interface IdentityUpkeep {
  recentRestrictions(withinMs: number): Promise<RecentRestrictions>;
  /** Removes what is past keeping, at most a few thousand rows a call. Returns how many. */
  removeExpired(): Promise<number>;
}
