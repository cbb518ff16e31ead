/** Finds TCP ports that nobody listens on. */
import { createServer } from 'node:net';

/** A port of `host` that was free a moment ago. */
export function findFreePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host, port: 0, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('The system offered no port.'));
      });
    });
  });
}

/** Whether a program may listen on `host:port` now; `elsewhere`: the address is none of this machine's. */
export function probePort(host: string, port: number): Promise<'free' | 'taken' | 'elsewhere'> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' ? 'elsewhere' : 'taken'),
    );
    probe.listen({ host, port, exclusive: true }, () => {
      probe.close(() => resolve('free'));
    });
  });
}
