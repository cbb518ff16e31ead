/** docs/deploying.md names every setting once, and its blocks set what its table says a process needs. That they work: test/system/deployed-apart.test.ts. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SETTINGS } from '../../config/settings.ts';
import { ROLES } from '../../scripts/run-system.ts';
import { readers, settingsFiles } from '../fixtures/deploying-page.ts';
import { projectFolder } from '../fixtures/source-files.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

t.test('the table says for every setting which role reads it', async (t) => {
  const variables = Object.values(SETTINGS).map(({ variable }) => variable);
  t.strictSame([...readers.keys()].sort(), variables.sort());
  for (const [setting, byRole] of readers) {
    t.ok(
      Object.values(byRole).some((cell) => cell !== ''),
      setting,
    );
    for (const cell of Object.values(byRole)) t.match(cell, /^(must|may|must without \w+|)$/, setting);
  }
});

t.test('each block of settings gives its process what it must have, and nothing that it does not read', async (t) => {
  t.ok(settingsFiles.length >= 7);
  for (const { heading, name, roles, settings } of settingsFiles) {
    const where = `${heading}, ${name}`;
    t.ok(
      roles.every((name) => ROLES.some((role) => role === name)),
      where,
    );
    for (const [setting, byRole] of readers) {
      const cells = roles.map((role) => byRole[role] ?? '').filter((cell) => cell !== '');
      const isNeeded = cells.some(
        (cell) => cell === 'must' || (/^must without (\w+)/.test(cell) && !roles.includes(cell.slice(13))),
      );
      if (isNeeded) t.ok(settings[setting], `${where} needs ${setting}`);
      if (cells.length === 0) t.notOk(settings[setting], `${where} does not read ${setting}`);
    }
    t.strictSame(
      Object.keys(settings).filter((setting) => !readers.has(setting)),
      [],
      where,
    );
  }
});

t.test('the same secret is the same wherever it stands', async (t) => {
  for (const setting of ['VELLO_SECRET_KEY', 'VELLO_INFERENCE_KEY']) {
    const values = settingsFiles.flatMap(({ settings }) => settings[setting] ?? []);
    t.equal(new Set(values).size, 1, setting);
  }
});

const isSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

t.test(
  'systemd finds nothing to say of the unit',
  { skip: isSystemd ? false : 'there is no systemd-analyze here' },
  async (t) => {
    const unit = readFileSync(join(projectFolder, 'config', 'deployment', 'vello.service'), 'utf8');
    const folder = temporaryFolder(t);
    // It looks for the program and the user on this machine.
    const here = unit
      .replace('/usr/bin/node', process.execPath)
      .replace('User=vello', 'User=root')
      .replace('Group=vello', 'Group=root');
    writeFileSync(join(folder, 'vello@.service'), here);
    t.equal(spawnSync('systemd-analyze', ['verify', join(folder, 'vello@api.service')]).stderr.toString(), '');
  },
);
