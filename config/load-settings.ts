/** Turns an environment into `Settings`, or into one error that lists every problem at once. */
import { SETTINGS, type Setting, type Settings } from './settings.ts';
import { VelloError } from './errors.ts';

/**
 * Returns the complete, frozen settings.
 * @throws VelloError `SETTINGS_INVALID`, whose detail names each variable, what it expected, and every unknown `VELLO_*` name.
 */
export function loadSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  const known = new Set<string>(INTERNAL);
  for (const [key, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    known.add(setting.variable);
    const given = environment[setting.variable];
    const written = given === undefined || given === '' ? setting.fallback : given;
    try {
      values[key] = written === undefined ? undefined : setting.parse(written);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const received = setting.secret ? 'another value' : `"${String(written)}"`;
      problems.push(`${setting.variable}: expected ${error.message}, received ${received}`);
    }
  }
  for (const name of Object.keys(environment)) {
    if (name.startsWith('VELLO_') && !known.has(name)) problems.push(`${name}: no such setting`);
  }
  if (problems.length > 0) throw new VelloError('SETTINGS_INVALID', problems.join('\n'));
  // Each value came from the parser declared for its key.
  return Object.freeze(values as unknown as Settings);
}

/** Set by our own test runner for its child processes; not settings of the product. */
const INTERNAL = ['VELLO_TEST_DATABASE_URL', 'VELLO_TEST_REDIS_SERVER', 'VELLO_CACHE'];
