/** docs/contract.md decides: whatever refers to a section of it refers to one that is there, and it says itself what is not built yet. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SETTINGS } from '../../config/settings.ts';
import { ROLES } from '../../scripts/run-system.ts';
import { LIVE_PATH } from '../../transports/live/live-endpoint.ts';
import { RELAY_ROUTES } from '../../transports/proxy/relay-routes.ts';
import { listFiles, projectFolder, readSources } from '../fixtures/source-files.ts';

const contract = readFileSync(join(projectFolder, 'docs', 'contract.md'), 'utf8');
const sections = new Set([...contract.matchAll(/^## (\d+)\. /gm)].map((match) => match[1]));

t.test('every reference to the contract names a section of it', async (t) => {
  t.ok(sections.size >= 10);
  let references = 0;
  for (const { path, text } of readSources(['config', 'actors', 'transports', 'supervisors', 'scripts', 'test'])) {
    for (const [, section] of text.matchAll(/[Cc]ontract §(\d+)/g)) {
      references += 1;
      t.ok(sections.has(section), `${path}: §${section ?? ''}`);
    }
  }
  t.ok(references > 30, `${references} references`);
});

/** Of one section, by its number. */
const section = (number: number) => contract.split(/^## /m).find((text) => text.startsWith(`${number}. `)) ?? '';
const namesIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name = '']) => name);
const missing = new Set(
  namesIn(contract.slice(contract.indexOf('Not there yet'), contract.indexOf('## 1.')), /`([^`]+)`/g),
);
const read = (path: string) => readFileSync(join(projectFolder, path), 'utf8');

/** What the contract names, and what of it there is. */
const promised: Readonly<Record<string, readonly [named: readonly string[], there: readonly string[]]>> = {
  roles: [namesIn(section(1), /^\| `([a-z]+)` /gm), ROLES],
  settings: [
    namesIn(contract, /\b(VELLO_[A-Z_]*[A-Z])\b/g),
    Object.values<{ readonly variable: string }>(SETTINGS).map(({ variable }) => variable),
  ],
  'routes of the gateway': [
    namesIn(section(4).slice(0, section(4).indexOf('Every call')), /[`\s](\/v(?:ello|1)\/[a-z/*]+)/g).filter(
      // The second column says where they lead.
      (path) => section(4).includes(`${path}\``) || section(4).includes(`${path}[`) || section(4).includes(`${path} (`),
    ),
    // `/v1/images/*` is all of OpenAI's.
    [...RELAY_ROUTES.map(({ pattern }) => pattern), LIVE_PATH, '/v1/images/*'],
  ],
  'messages of a live transcription': [
    namesIn(section(4), /^\| `([a-z]+)(?: \{[^`]*)?` +\| (?:gateway|desktop)/gm),
    namesIn(read('actors/live/live-protocol.ts'), /type: '(\w+)'/g),
  ],
  'messages to and from desktops': [
    namesIn(
      section(7).slice(section(7).indexOf('Server to desktop'), section(7).indexOf('On every connect')),
      /`([a-z_]+)(?: \{[^`]*)?`/g,
    ).filter((name) => !['type', 'seq'].includes(name)),
    namesIn(read('actors/sessions/desktop-protocol.ts'), /type: '(\w+)'/g),
  ],
  tables: [
    (/by real code:\n([a-z_,\s]+)\. Migrations/.exec(section(8))?.[1] ?? '').split(/,\s+/),
    listFiles(['transports/postgres'])
      .filter((path) => path.endsWith('.sql'))
      .flatMap((path) => namesIn(read(path), /create table (\w+)/g)),
  ],
};

t.test('what the contract promises is there, or stands under what is not there yet', async (t) => {
  for (const [kind, [named, there]] of Object.entries(promised)) {
    t.ok(named.length >= 4, `${kind}: it names ${named.length}`);
    for (const name of named) t.not(there.includes(name), missing.has(name), `${kind}: ${name}`);
  }
});
