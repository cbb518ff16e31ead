/** Finds out whether the system hands on who is just connecting when one gateway process follows another, and says so where it does not. */
import { readFileSync } from 'node:fs';

/** Linux 5.14 and newer. Of the network namespace, so that a container has its own. */
const SETTING = '/proc/sys/net/ipv4/tcp_migrate_req';

/** What works but should be changed. */
export function handOverWarning(file = SETTING): string | undefined {
  const value = readSetting(file);
  if (value === '1') return undefined;
  const remedy = value === undefined ? 'needs Linux 5.14' : 'set it by sysctl -w net.ipv4.tcp_migrate_req=1';
  return `net.ipv4.tcp_migrate_req is not 1: who connects at the moment of a restart may be turned away (${remedy}; docs/deploying.md).`;
}

function readSetting(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
