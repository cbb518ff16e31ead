/** Gives a listener whose port is 0 the one it will have, so that the other roles, and the person at the keyboard, can be told. */
import type { Settings } from '../../config/settings.ts';
import { findFreePort } from '../../transports/process/free-port.ts';

const LISTENERS = ['apiListen', 'gatewayListen', 'inferenceListen', 'adminListen'] as const;

export async function settlePorts(settings: Settings): Promise<Settings> {
  const settled: Partial<Record<(typeof LISTENERS)[number], Settings['apiListen']>> = {};
  for (const name of LISTENERS) {
    const { host, port } = settings[name];
    if (port === 0) settled[name] = { host, port: await findFreePort(host) };
  }
  return { ...settings, ...settled };
}
