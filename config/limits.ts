/** Bounds that are facts of the design and not settings: each with the reason for its number. */

export const LIMITS = {
  grants: {
    /** Entries of `vello:grants` are kept this long: four times the life of an access token, so that none outlives its entry. */
    historyMs: 3_600_000,
    /** One blocking read of the stream; short, because a dead socket shows itself only between two reads. */
    readBlockMs: 2_000,
    readBatch: 1_000,
  },
  admission: {
    /** Longer than any access token of ours; nothing longer is hashed. */
    tokenBytes: 4_096,
    /** Unknown tokens that one source address may have looked up at once, and per second from then on. */
    missBurst: 20,
    missesPerSecond: 5,
    /** Source addresses remembered at a time; the one that was quiet longest gives way. */
    missSources: 10_000,
    /** Tokens remembered as unknown, and for how long, so that the same one is not asked twice. */
    unknownTokens: 10_000,
    unknownForMs: 10_000,
  },
} as const;
