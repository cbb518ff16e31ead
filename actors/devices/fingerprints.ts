/** Turns what a desktop reports about its hardware into keyed hashes. Raw values go no further than this module (contract §3.3). */
import { createHmac } from 'node:crypto';
import { VelloError } from '../../config/errors.ts';
import { isPlaceholder } from './placeholder.ts';

export const COMPONENTS = {
  machine_id: 'strong',
  bios_uuid: 'strong',
  baseboard_serial: 'strong',
  disk_serial: 'strong',
  mac_addresses: 'weak',
  cpu_id: 'weak',
  os_install_id: 'weak',
} as const;
export type Component = keyof typeof COMPONENTS;
export type Strength = (typeof COMPONENTS)[Component];
export const COMPONENT_NAMES = Object.keys(COMPONENTS) as readonly Component[];

/** `mac_addresses` may come as a list. */
export type ReportedFingerprints = Readonly<Partial<Record<Component, string | readonly string[]>>>;

/** Peppers by version. The highest version is stored; all of them are looked up, until the old ones are retired. */
export type Peppers = ReadonlyMap<number, Buffer>;

export interface HashedComponent {
  readonly component: Component;
  /** Newest pepper first. */
  readonly hashes: readonly { readonly pepperVersion: number; readonly hash: Buffer }[];
}

export const LEAST_COMPONENTS = 3;

/**
 * Returns the hashes of all components that say something.
 * @throws VelloError `INVALID_FIELDS` when fewer than three do: boards whose maker left a placeholder share it with thousands.
 */
export function hashFingerprints(reported: ReportedFingerprints, peppers: Peppers): readonly HashedComponent[] {
  const versions = [...peppers].sort(([a], [b]) => b - a);
  const hashed = COMPONENT_NAMES.flatMap((component): HashedComponent[] => {
    const value = normalise(component, reported[component]);
    if (value === undefined) return [];
    const hashes = versions.map(([pepperVersion, pepper]) => ({
      pepperVersion,
      // The component is part of what is hashed: a serial must not match a machine id that happens to be equal.
      hash: createHmac('sha256', pepper).update(`${component}\0${value}`).digest(),
    }));
    return [{ component, hashes }];
  });
  if (hashed.length < LEAST_COMPONENTS) {
    const said = new Set(hashed.map(({ component }) => component));
    const silent = COMPONENT_NAMES.filter((name) => reported[name] !== undefined && !said.has(name));
    const why = silent.length === 0 ? '' : `; too common, or too short, to identify anything: ${silent.join(', ')}`;
    const problem = `needs at least ${LEAST_COMPONENTS} components with values that identify something${why}`;
    throw new VelloError('INVALID_FIELDS', 'Too few fingerprint components.', {
      fields: [{ field: '/fingerprints', problem }],
    });
  }
  return hashed;
}

/** Case, order, blanks, braces and dashes differ between operating systems, and between tools, for the same hardware. */
function normalise(component: Component, value: string | readonly string[] | undefined): string | undefined {
  const parts = (typeof value === 'string' ? value.split(',') : (value ?? []))
    .map((reported) => ({ reported, compact: compact(reported) }))
    .filter((part) => !isPlaceholder(component, part))
    .map((part) => part.compact);
  return parts.length === 0 ? undefined : [...new Set(parts)].sort().join(',');
}

/** Without control and zero-width characters too, which no screen shows: they would make one machine many. */
const compact = (part: string): string =>
  part
    .normalize('NFC')
    .toLowerCase()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Z}\p{Pd}!-/:-@[-`{-~]/gu, '');
