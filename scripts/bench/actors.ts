/** Benchmark of the actor kernel beside bare nact and Erlang: the same scenarios, interleaved, each play in a process of its own. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { UsageError } from '../command.ts';
import { projectRoot } from '../project-root.ts';
import { SCENARIOS, type ScenarioName } from './actors/scenario.ts';

const DEFAULT_ROUNDS = 5;
const PLAY_MS = 300;

interface BenchPeer {
  readonly name: string;
  /** Undefined where the peer is not installed. */
  readonly play: ((scenario: ScenarioName) => Promise<number>) | undefined;
}

/** Arguments: the number of rounds, then words that a scenario's name must hold to be played. */
export async function run(args: readonly string[]): Promise<void> {
  const [given = String(DEFAULT_ROUNDS), ...words] = args;
  const rounds = Number(given);
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError('The first argument is the number of rounds');
  const scenarios = (Object.keys(SCENARIOS) as ScenarioName[]).filter((name) => words.every((w) => name.includes(w)));
  const folder = mkdtempSync(join(tmpdir(), 'vello-bench-'));
  try {
    const peers: BenchPeer[] = [
      { name: 'bare nact', play: playInNode('nact') },
      { name: 'this kernel', play: playInNode('vello') },
      { name: 'without measuring', play: playInNode('unmeasured') },
      { name: 'Erlang, 1 scheduler', play: playInErlang(folder) },
    ];
    console.log(`${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node.js ${process.versions.node}`);
    console.log(`${rounds} rounds, interleaved, each play in a new process; medians, then every value\n`);
    for (const scenario of scenarios) await compare(scenario, peers, rounds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(scenario: ScenarioName, peers: readonly BenchPeer[], rounds: number): Promise<void> {
  const results = peers.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { play }] of peers.entries()) if (play !== undefined) results[index]?.push(await play(scenario));
  }
  const { unit, more } = SCENARIOS[scenario];
  console.log(`${scenario} (${unit}${more === 'worse' ? ', less is better' : ''})`);
  const base = median(results[0] ?? []);
  for (const [index, { name, play }] of peers.entries()) {
    const values = results[index] ?? [];
    const middle = median(values);
    const ratio = `${(middle / base).toFixed(middle / base < 10 ? 2 : 0)}x`;
    const raw = values.map((value) => short(value)).join(' ');
    console.log(
      play === undefined
        ? `  ${name.padEnd(20)} not installed`
        : `  ${name.padEnd(20)} ${short(middle).padStart(8)} ${ratio.padStart(8)}   ${raw}`,
    );
  }
  console.log('');
}

function playInNode(peer: string): BenchPeer['play'] {
  const script = join(projectRoot, 'build', 'scripts', 'bench', 'actors', 'play.js');
  return async (scenario) => {
    const args = ['--expose-gc', script, peer, scenario, String(PLAY_MS)];
    return Number((await promisify(execFile)(process.execPath, args)).stdout);
  };
}

function playInErlang(folder: string): BenchPeer['play'] {
  const paths = (process.env['PATH'] ?? '').split(delimiter);
  if (!['erl', 'erlc'].every((program) => paths.some((path) => existsSync(join(path, program))))) return undefined;
  execFileSync('erlc', ['-o', folder, join(projectRoot, 'scripts', 'bench', 'actors', 'scenarios.erl')]);
  return async (scenario) => {
    const args = ['+S', '1:1', '-noshell', '-pa', folder, '-run', 'scenarios', 'main', scenario, String(PLAY_MS)];
    return Number((await promisify(execFile)('erl', args)).stdout);
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Three significant digits: 4.21M, 312k, 987. */
function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)}M`;
  return value >= 1e4 ? `${(value / 1e3).toPrecision(3)}k` : value.toFixed(0);
}
