/** Gives a listener whose port is 0 the one it will have, so that the other roles, and the person at the keyboard, can be told. */
import type { Settings } from '../../config/settings.ts';
import { findFreePort } from '../../transports/process/free-port.ts';

const LISTENERS = ['apiListen', 'gatewayListen', 'inferenceListen', 'adminListen'] as const;

export async function settlePorts(settings: Settings): Promise<Settings> {
  const settled: Partial<Record<(typeof LISTENERS)[number], Settings['apiListen']>> = {};
  const taken = new Set(LISTENERS.map((name) => settings[name].port));
  for (const name of LISTENERS) {
    const { host } = settings[name];
    let { port } = settings[name];
    while (taken.has(port) && settings[name].port === 0) port = await findFreePort(host);
    taken.add(port);
    if (port !== settings[name].port) settled[name] = { host, port };
  }
  return { ...settings, ...settled };
}
