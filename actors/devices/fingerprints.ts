/** Turns what a desktop reports about its hardware into keyed hashes. Raw values go no further than this module (contract §3.3). */
import { createHmac } from 'node:crypto';
import { VelloError } from '../../config/errors.ts';

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
    const value = normalise(reported[component]);
    if (value === undefined) return [];
    const hashes = versions.map(([pepperVersion, pepper]) => ({
      pepperVersion,
      // The component is part of what is hashed: a serial must not match a machine id that happens to be equal.
      hash: createHmac('sha256', pepper).update(`${component}\0${value}`).digest(),
    }));
    return [{ component, hashes }];
  });
  if (hashed.length < LEAST_COMPONENTS) {
    const problem = `needs at least ${LEAST_COMPONENTS} components with values that identify something`;
    throw new VelloError('INVALID_FIELDS', 'Too few fingerprint components.', {
      fields: [{ field: '/fingerprints', problem }],
    });
  }
  return hashed;
}

/** Case, order and surrounding blanks differ between operating systems and their versions for the same hardware. */
function normalise(value: string | readonly string[] | undefined): string | undefined {
  const parts = (typeof value === 'string' ? value.split(',') : (value ?? []))
    .map((part) => part.trim().toLowerCase())
    .filter((part) => part.length >= 4 && !PLACEHOLDER.test(part));
  return parts.length === 0 ? undefined : [...new Set(parts)].sort().join(',');
}

/** What firmware says when its maker filled nothing in. */
const PLACEHOLDER =
  /^(to be filled by o\.?e\.?m\.?|default string|system serial number|base board serial number|not (specified|applicable|available)|none|unknown|n\/a|[0\W]+|f+(-f+)*|(ff:)+ff|0123456789|123456789|03000200-0400-0500-0006-000700080009)$/;
