/** The demonstration desktop: it registers, connects, sends a recording, shows the text as it arrives, and checks what it was charged. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createAudioLengthReader } from '../../actors/audio/audio-length.ts';
import { transcriptionCredits } from '../../actors/credits/credits-for.ts';
import type { JobCreated } from '../../actors/sessions/desktop-protocol.ts';
import { ClientError } from '../../transports/client/client-error.ts';
import { createDesktopClient, type DesktopClient } from '../../transports/client/desktop-client.ts';
import { openDeviceIdentity } from '../../transports/client/device-identity.ts';
import { count } from '../count.ts';

export interface DemoOptions {
  readonly apiUrl: string;
  readonly gatewayUrl: string;
  /** As the gateway's configuration names it. */
  readonly model: string;
  /** Where this desktop keeps its key. */
  readonly folder: string;
  /** Shown without a line break, so that text can grow. */
  readonly write: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What is said in `recording.flac`. */
const WORDS =
  'Your voice travels to the model, and the words come back to you while you are still thinking about the next ' +
  'sentence. Nothing is lost.';
const RECORDING = fileURLToPath(new URL('./recording.flac', import.meta.url));
/** The collector settles within a second; a machine under load takes longer. */
const JOB_WITHIN_MS = 30_000;
/** Of the spoken words, how many must be recognised: a model may hear one or two otherwise. */
const WORDS_NEEDED = 0.8;

/** Resolves to whether everything happened as it should; what did not is shown. */
export async function playDemo(options: DemoOptions): Promise<boolean> {
  const { write, signal } = options;
  write('\n  A desktop tries it out\n\n');
  try {
    const client = await openDesktop(options);
    signal.addEventListener('abort', () => client.close());
    try {
      return await run(client, options);
    } finally {
      client.close();
    }
  } catch (error) {
    if (signal.aborted) return false;
    if (!(error instanceof ClientError)) throw error;
    const request = error.requestId === undefined ? '' : `, request ${error.requestId}`;
    write(`\n  ✗ ${error.message} (${error.code}${request})\n`);
    return false;
  }
}

async function openDesktop({ apiUrl, gatewayUrl, folder }: DemoOptions): Promise<DesktopClient> {
  const identity = await openDeviceIdentity(folder);
  // Made-up hardware, and the same with every start: it belongs to this key.
  const serial = (part: string) => `demonstration ${part} ${identity.publicKey}`;
  return createDesktopClient({
    ...{ apiUrl, gatewayUrl, identity },
    fingerprints: { machine_id: serial('machine'), bios_uuid: serial('bios'), disk_serial: serial('disk') },
    device: { name: 'Demonstration desktop', os: process.platform, app_version: 'demo' },
  });
}

async function run(client: DesktopClient, { model, write, signal }: DemoOptions): Promise<boolean> {
  const { deviceId, created, credits } = await client.register();
  write(`    ${created ? 'registered' : 'signed in'} as device ${deviceId} with ${count(credits.balance, 'credit')}\n`);

  const jobs = createJobWatch();
  const connection = await client.connect({ job_created: jobs.take });
  write('    connected to the api by WebSocket\n');

  const { audioSeconds } = measure(await readFile(RECORDING));
  write(`    sends recording.flac, ${audioSeconds.toFixed(1)} s of speech, to ${model} and hears:\n\n      `);
  const transcription = client.transcribe(RECORDING, { model, signal });
  const startedMs = performance.now();
  const line = createWrapping(write);
  let text = '';
  for await (const piece of transcription) {
    text += piece;
    line(piece);
  }
  write(`\n\n    ${((performance.now() - startedMs) / 1000).toFixed(1)} s from the first byte sent to the last word\n`);

  const job = await jobs.waitFor(transcription.sessionId, signal);
  await connection.close();
  if (job === undefined) {
    write(`\n  ✗ No job_created arrived within ${JOB_WITHIN_MS / 1000} s.\n`);
    return false;
  }
  write(`    job_created: job ${job.job_id}\n`);
  write(`    credits_deducted: ${job.credits_deducted}, balance: ${job.balance}\n`);
  return judge(text, job, audioSeconds, write);
}

function judge(text: string, job: JobCreated, audioSeconds: number, write: (text: string) => void): boolean {
  const heard = new Set(wordsOf(text));
  const spoken = wordsOf(WORDS);
  const share = spoken.filter((word) => heard.has(word)).length / spoken.length;
  const price = transcriptionCredits(audioSeconds);
  const problems = [
    ...(share >= WORDS_NEEDED ? [] : [`Only ${Math.round(share * 100)} % of the words were recognised.`]),
    ...(job.credits_deducted === price ? [] : [`${audioSeconds.toFixed(3)} s should cost ${count(price, 'credit')}.`]),
  ];
  for (const problem of problems) write(`\n  ✗ ${problem}\n`);
  if (problems.length === 0) write('\n  ✓ It works: real speech, recognised, streamed, metered and paid for.\n');
  return problems.length === 0;
}

interface JobWatch {
  readonly take: (job: JobCreated) => void;
  waitFor(sessionId: string, signal: AbortSignal): Promise<JobCreated | undefined>;
}

/** A job of an earlier run may be replayed first; the session tells ours. */
function createJobWatch(): JobWatch {
  const jobs: JobCreated[] = [];
  let look: () => void = () => undefined;
  return {
    take: (job) => {
      jobs.push(job);
      look();
    },
    waitFor: (sessionId, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(undefined), JOB_WITHIN_MS);
        signal.addEventListener('abort', () => resolve(undefined));
        look = () => {
          const found = jobs.find((job) => job.session_id === sessionId);
          if (found === undefined) return;
          clearTimeout(timer);
          resolve(found);
        };
        look();
      }),
  };
}

function measure(file: Uint8Array) {
  const reader = createAudioLengthReader();
  reader.push(file);
  return reader.length();
}

/** Writes pieces of text as they come, breaking lines between words. */
function createWrapping(write: (text: string) => void): (piece: string) => void {
  let column = 0;
  return (piece) => {
    const broken = column + piece.length > 80 && piece.startsWith(' ') ? `\n      ${piece.trimStart()}` : piece;
    column = broken === piece ? column + piece.length : piece.trimStart().length;
    write(broken);
  };
}

const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/[a-z']+/g) ?? [];
