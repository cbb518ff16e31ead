/** Benchmark of speech recognition: how much of a recording's length its recognition takes, alone and several at once, beside whisper.cpp where it is installed. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Recogniser } from '../../actors/inference/speech-engine.ts';
import { fetchModel } from '../../transports/speech/models/fetch-model.ts';
import { createMoonshineEngine } from '../../transports/speech/moonshine-engine.ts';
import { CommandError, UsageError } from '../command.ts';
import { projectRoot } from '../project-root.ts';

interface Row {
  readonly name: string;
  /** Real-time factors: seconds of work for a second of speech. */
  readonly factors: number[];
  readonly firstWordMs: number[];
}

const DEFAULT_ROUNDS = 7;
/** Length of the demonstration's recording. */
const DEMO_SECONDS = 8;

/** Arguments: the number of rounds, then whisper.cpp's model file. */
export async function run(args: readonly string[]): Promise<void> {
  const rounds = Number(args[0] ?? DEFAULT_ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError('The first argument is the number of rounds');
  const path = join(projectRoot, 'scripts', 'demo', 'recording.flac');
  const file = readFileSync(path);
  const cache = process.env['VELLO_CACHE'] ?? join(projectRoot, '.vello', 'cache');
  const model = await fetchModel(cache);
  const engine = createMoonshineEngine({ model: async () => model });
  const openedAtMs = performance.now();
  const open = () => engine.open({ signal: new AbortController().signal, onDeath: (cause) => console.error(cause) });
  const [one, other] = [await open(), await open()];
  const openMs = (performance.now() - openedAtMs) / 2;
  const alone: Row = { name: 'Vello, one at a time', factors: [], firstWordMs: [] };
  const paired: Row = { name: 'Vello, two at once (per pair)', factors: [], firstWordMs: [] };
  const peer: Row = { name: 'whisper.cpp, with loading', factors: [], firstWordMs: [] };
  const peerModel = args[1];
  for (let round = 0; round < rounds; round++) {
    append(alone, await measure([one], file));
    append(paired, await measure([one, other], file));
    if (peerModel !== undefined) append(peer, measureWhisper(peerModel, path, DEMO_SECONDS));
  }
  await Promise.all([one.close(), other.close()]);

  console.log(`${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node.js ${process.versions.node}`);
  console.log(`model loaded and warm in ${openMs.toFixed(0)} ms; ${rounds} rounds, interleaved\n`);
  for (const row of [alone, paired, peer]) console.log(describe(row));
}

interface Measured {
  readonly factor: number;
  readonly firstWordMs: number;
}

function append(row: Row, { factor, firstWordMs }: Measured): void {
  row.factors.push(factor);
  row.firstWordMs.push(firstWordMs);
}

async function measure(recognisers: readonly Recogniser[], file: Uint8Array): Promise<Measured> {
  const startedMs = performance.now();
  let firstWordMs = 0;
  const recognitions = await Promise.all(
    recognisers.map((recogniser) =>
      recogniser.recognise(file, {
        signal: new AbortController().signal,
        onDelta: () => (firstWordMs ||= performance.now() - startedMs),
      }),
    ),
  );
  const speechSeconds = recognitions.reduce((sum, { audioSeconds }) => sum + audioSeconds, 0);
  return { factor: (performance.now() - startedMs) / 1000 / speechSeconds, firstWordMs };
}

/** A whole run of its program, model loading included: it has no way to keep the model. */
function measureWhisper(model: string, path: string, speechSeconds: number): Measured {
  const startedMs = performance.now();
  const { error, status, stderr } = spawnSync('whisper-cli', ['-m', model, '-f', path, '-t', '1'], {
    encoding: 'utf8',
  });
  if (error === undefined && status !== 0) throw new CommandError(`whisper-cli failed: ${stderr.slice(-400)}`);
  const seconds = (performance.now() - startedMs) / 1000;
  return { factor: error === undefined ? seconds / speechSeconds : Number.NaN, firstWordMs: Number.NaN };
}

function describe({ name, factors, firstWordMs }: Row): string {
  const measured = factors.filter((factor) => !Number.isNaN(factor));
  if (measured.length === 0) return `${name.padEnd(30)} not installed`;
  const first = median(firstWordMs.filter((ms) => !Number.isNaN(ms)));
  const raw = measured.map((factor) => factor.toFixed(3)).join(' ');
  return `${name.padEnd(30)} real-time factor ${median(measured).toFixed(3)}  first word ${first.toFixed(0)} ms  (${raw})`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
