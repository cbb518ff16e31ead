/** Finds out before anything is started whether the addresses to listen on are free. */
import type { ListenAddress } from '../../config/parse-setting.ts';
import { probePort } from '../../transports/process/free-port.ts';
import { CommandError } from '../command.ts';

export interface WantedAddress extends ListenAddress {
  /** The setting that says it. */
  readonly variable: string;
}

/** Resolves when all are free and no two are the same. @throws CommandError naming each that is taken. */
export async function checkAddresses(wanted: readonly WantedAddress[]): Promise<void> {
  const problems: string[] = [];
  const seen = new Map<string, string>();
  for (const { host, port, variable } of wanted) {
    if (port === 0) continue;
    const address = `${host}:${port}`;
    const other = seen.get(address);
    const state = other === undefined ? await probePort(host, port) : 'free';
    if (other !== undefined) problems.push(`${address} is asked for twice, by ${other} and ${variable}.`);
    else if (state === 'taken') problems.push(`${address} (${variable}) is in use by another program.`);
    else if (state === 'elsewhere') problems.push(`${host} (${variable}) is no address of this machine.`);
    seen.set(address, variable);
  }
  if (problems.length === 0) return;
  throw new CommandError(
    `${problems.join('\n')}\nSet the variable to a free address of this machine, such as 127.0.0.1:9080.`,
  );
}
