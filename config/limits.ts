/** Bounds that are facts of the design and not settings: each with the reason for its number. */

export const LIMITS = {
  grants: {
    /** Entries of `vello:grants` are kept this long: four times the life of an access token, so that none outlives its entry. */
    historyMs: 3_600_000,
    /** One blocking read of the stream; short, because a dead socket shows itself only between two reads. */
    readBlockMs: 2_000,
    readBatch: 1_000,
  },
  api: {
    /** Bodies that are held at once on the api's listener, whoever sends them: eight of the largest that a service posts. */
    bodyBytesAtOnce: 128 * 1024 * 1024,
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
  prompts: {
    /** Of a prompt's text: some 16,000 tokens, a fair part of what models take. */
    textCharacters: 65_536,
    /** Of variables in one text, and of a variable's value: what a filled prompt can become at most is a megabyte. */
    mentions: 64,
    valueCharacters: 16_384,
    /** Of a request that names one: it is held whole and read at once, which takes 6 ms where it holds words, and 40 where it is made to take long. */
    bodyBytes: 512 * 1024,
  },
  gatewayProcesses: {
    /** From a start to the first words, and from those to readiness: what a whole Vello is given. */
    readyMs: 120_000,
    /** One that turns says so every second; one that was silent for so long takes connections and answers none. */
    mostSilentMs: 30_000,
    lookMs: 5_000,
    healthMs: 1_000,
    /** A tree and an exposition are made in milliseconds. */
    answerMs: 2_000,
  },
  events: {
    /** Events in one pipeline. */
    batch: 256,
    /** Between two sendings of less than a whole batch: what ends meanwhile goes together. A sending costs as much as some ten events. */
    gatherMs: 10,
    /** Longest wait for the stream's answer before a batch goes to disk: what is in memory dies with the process. */
    sendMs: 1_000,
    retryMs: 500,
    /** What was sent, and which requests have ended, is written down this much later at most: a crash before costs a second sending. */
    checkpointMs: 100,
    /** Held where neither the stream nor the disk takes them; some 100 MB. */
    mostInMemory: 100_000,
  },
  upstream: {
    /** Name looked up and connection made; the request is then tried once more. */
    connectMs: 5_000,
    /** Two round trips and some arithmetic: a provider that takes longer has other troubles. */
    tlsMs: 5_000,
    /** Below the 30 s and more after which providers drop idle connections, so that we seldom write to a dead one. */
    keepAliveMs: 20_000,
    /** uWebSockets.js ends an idle connection after 8 to 12 s, and our own engine listens on it. */
    ownKeepAliveMs: 7_000,
    /** Where the provider says for how long it keeps a connection, ours ends this much earlier: our next request is on its way for a while. */
    keepAliveMarginMs: 1_000,
    /** No request begins on a connection that is older: where its name points to now is looked up with the next one. */
    connectionMs: 300_000,
    /** How often connections are closed that were kept for long enough. */
    sweepMs: 1_000,
    /** All lines of an answer's head, interim ones and their number included, and of its trailers: ten times what providers send. */
    headBytes: 32 * 1024,
    /** The size of a chunk, and extensions that nobody uses. */
    chunkLineBytes: 1_024,
  },
  relay: {
    /** How far into the body the model is looked for (contract §4). */
    lookAheadBytes: 64 * 1024,
    /** Upload bytes held per request before the client is made to wait. */
    uploadBufferBytes: 256 * 1024,
    /** A client that waits is still read now and then, or its departure would go unnoticed; up to this much: more than a whole recording. */
    uploadPollBytes: 32 * 1024 * 1024,
    /** Upload bytes that wait in all requests together. */
    uploadBytesAtOnce: 512 * 1024 * 1024,
    uploadPollMs: 500,
    /** Longest silence of a client in the middle of its upload. */
    uploadIdleMs: 30_000,
    /** Slowest upload, averaged over the window. Compressed live speech is 3 kB/s and more. */
    uploadBytesPerSecond: 512,
    uploadWindowMs: 60_000,
    /** Longest wait for the provider to take the next bytes of an upload. */
    uploadStallMs: 60_000,
    /** Last byte of the upload to the answer's status: long recordings are recognised whole. */
    headMs: 300_000,
    /** Longest silence in the middle of an answer. */
    idleMs: 120_000,
    totalMs: 3_600_000,
    /** After a refusal: what is still read of the upload, so that the answer is not lost to a reset connection. */
    discardBytes: 32 * 1024 * 1024,
    discardUnannouncedBytes: 1024 * 1024,
    discardMs: 2_000,
    /** A client that pauses for this long waits for the answer. */
    discardQuietMs: 100,
    /** Answers with an error status are held up to this size, to be checked and reworded. */
    errorBodyBytes: 16 * 1024,
    /** What is kept of an answer, or of one event of it, to read its text and usage from: the text of a day's speech with its words' times. */
    answerTailBytes: 4 * 1024 * 1024,
    /** An event of a stream that may be the account of a chat is held back up to this size; real ones have 1 kB. */
    accountBytes: 16 * 1024,
    /** Answers read to their end for clients that left. Above it, they are cancelled like any other. */
    orphanedAnswers: 500,
    tickMs: 250,
  },
  sessions: {
    /** Supervisors that share the device sessions, so that none has all of them to stop. */
    shards: 8,
    /** Messages that may wait for one session; a desktop that sends faster than its session acts is closed. */
    mailbox: 256,
    /** A session waits this long for its desktop to come back: longer than the reconnect of a network that hiccups. */
    lingerMs: 5_000,
    /** Sent pings are at most this far apart; the listener's idle timeout is derived from it. */
    heartbeatMs: 30_000,
    /** Longest from the upgrade to the `hello`. */
    welcomeMs: 10_000,
    /** Messages read from the outbox at once. */
    outboxPage: 200,
    /** Bytes that may wait in one socket before its session leaves the rest in the outbox. */
    congestedBytes: 65_536,
    /** A hard bound for the same; beyond it the socket drops what it is given. */
    bufferedBytes: 1_048_576,
    /** How long a desktop may leave its socket congested. */
    slowConsumerMs: 30_000,
    /** Drained desktops come back spread over this long. */
    drainSpreadMs: 10_000,
    /** Largest frame from a desktop. */
    frameBytes: 65_536,
    /** Upgrades whose credentials are being checked at once; more are told to come back. */
    upgradesAtOnce: 500,
  },
  live: {
    /** Live transcriptions of one gateway at once: each has a socket on both sides, and a decoder of 2 MB where it sends Opus. */
    sessions: 1_000,
    /** Upgrades whose tokens are being asked for; more are told to come back. */
    upgradesAtOnce: 500,
    /** How long the call of a desktop that lost its socket is kept: a lift, a tunnel, a change of network. */
    lingerMs: 30_000,
    /** Without audio for this long a transcription is ended as if the desktop had said so. Providers drop theirs after longer. */
    quietMs: 300_000,
    /** Providers end a call after an hour; a minute before, it is ended in good order. */
    totalMs: 3_540_000,
    /** From the end of the audio to its last text. */
    finishMs: 60_000,
    /** A desktop that has everything closes its socket; one that does not is closed. */
    closeMs: 5_000,
    tickMs: 500,
    /** Largest frame: two thirds of a second of the fastest PCM. */
    frameBytes: 65_536,
    /** So far may a desktop be ahead of what was passed on. */
    windowBytes: 1_048_576,
    /** Beyond what a desktop in that window can have sent, it is not heeding it. */
    queuedBytes: 2_097_152,
    /** What a frame takes in the queue besides its bytes, so that many small ones do not fill the memory either. */
    frameOverheadBytes: 64,
    /** Audio may come faster than it is spoken, after a gap or from a file: so much at once, and so many seconds a second from then on. */
    aheadSeconds: 60,
    secondsPerSecond: 4,
    /** What was passed on is acknowledged after so many bytes, and with every tick. */
    heardBytes: 65_536,
    /** Text that waits in one socket; a desktop that takes so little is cut, and gets it with its next socket. */
    unreadBytes: 4_194_304,
    /** Text of one transcription: more than anybody says in an hour. */
    textCharacters: 1_048_576,
    items: 10_000,
    /** From the call of the provider to its readiness. */
    readyMs: 10_000,
    /** Bytes that the provider has not taken yet, above which audio is held back. */
    upstreamBytes: 262_144,
    /** Largest message of a provider. */
    messageBytes: 1_048_576,
  },
  recognition: {
    /** The body of one transcription request: OpenAI's own limit of 25 MB for the file, and room for the other fields. */
    bodyBytes: 26 * 1024 * 1024,
    /** A slow uplink takes minutes for a long recording. */
    uploadMs: 300_000,
    /** Recordings that wait for a recogniser: by number, so that the last one waits seconds, not minutes. */
    waiting: 64,
    /** And by size, so that they cannot fill the memory. */
    waitingBytes: 256 * 1024 * 1024,
    /** Of one caller: half, so that there is always room for another. */
    waitingOfOne: 32,
    waitingBytesOfOne: 128 * 1024 * 1024,
    /**
     * Recordings that a recogniser has begun and keeps, whoever sent them: each holds its file and half a minute of sound. Beyond
     * these it begins only the first of a caller, so that nobody has to wait for the end of another's.
     */
    begun: 8,
    /** Longer recordings are refused before they are decoded, or once more than this was heard. */
    longestSeconds: 3_600,
    /** Live calls at once, and the audio that each may be ahead of what was heard: some minutes. */
    liveCalls: 64,
    liveUnheardBytes: 8 * 1024 * 1024,
    /** Speech of one live call that waits to be recognised: an engine that falls behind so far does not catch up. */
    liveWaitingSeconds: 180,
    /** A stretch that the engine has no room for is offered again for this long. */
    liveRetryMs: 60_000,
    /** Largest message of a live call: minutes of audio at once. */
    liveMessageBytes: 1024 * 1024,
    /** Bodies that are held at once, whoever sends them: what may wait, and half of it again on its way. */
    bodyBytesAtOnce: 384 * 1024 * 1024,
  },
} as const;
