/** What lets clients in: the listening socket, alone on its address or sharing it, and the count of those who are inside. */
import uWS from '#uws';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { Log } from '../../../actors/ports/log.ts';
import { VelloError } from '../../../config/errors.ts';
import type { ListenAddress } from '../../../config/parse-setting.ts';

export interface Door {
  /** Starts listening and returns the port. @throws VelloError `PORT_IN_USE` */
  open(): Promise<number>;
  /** Nobody else comes in; whoever is inside stays. */
  close(): void;
  /** Was open, or never will be. */
  readonly isClosed: boolean;
  /** A connection became a WebSocket: it brings no further request. */
  upgraded(): void;
  /** Resolves when no connection is left that could bring a request, or after `withinMs`. */
  deserted(withinMs: number): Promise<void>;
}

export interface DoorOptions {
  readonly listener: string;
  readonly address: ListenAddress;
  /** Other processes of ours listen on the same address: the kernel spreads new connections over them. */
  readonly sharesPort?: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export function createDoor(app: uWS.TemplatedApp, options: DoorOptions): Door {
  const { listener, address, sharesPort = false, clock, log } = options;
  let socket: uWS.us_listen_socket | undefined;
  let isClosed = false;
  let connections = 0;
  let onDeserted: (() => void) | undefined;

  const count = (change: number) => {
    connections += change;
    if (connections === 0) onDeserted?.();
  };
  app.filter((_, change) => count(Math.sign(Number(change))));

  return {
    open: () =>
      new Promise((resolve, reject) => {
        // The native function takes all four; the declarations know only three of them.
        const listen = app.listen.bind(app) as unknown as NativeListen;
        listen(address.host, address.port, sharesPort ? SHARED_PORT : EXCLUSIVE_PORT, (opened) => {
          if (opened === false) {
            const where = `${address.host}:${address.port}`;
            reject(new VelloError('PORT_IN_USE', `The ${listener} cannot listen on ${where}: the address is in use.`));
            return;
          }
          socket = opened;
          const port = uWS.us_socket_local_port(opened);
          log.info('listening', { listener, host: address.host, port });
          resolve(port);
        });
      }),
    close: () => {
      if (socket !== undefined) uWS.us_listen_socket_close(socket);
      socket = undefined;
      isClosed = true;
    },
    get isClosed() {
      return isClosed;
    },
    upgraded: () => count(-1),
    deserted: async (withinMs) => {
      if (connections === 0) return;
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(withinMs, resolve);
        onDeserted = () => {
          timer.cancel();
          resolve();
        };
      });
    },
  };
}

/** `LIBUS_LISTEN_EXCLUSIVE_PORT`: without it a second process silently shares the port and takes half of the connections. */
const EXCLUSIVE_PORT = 1;
/** `SO_REUSEPORT`: each process has a queue of its own, and the kernel chooses one by the connection's addresses. */
const SHARED_PORT = 0;

type NativeListen = (
  host: string,
  port: number,
  options: number,
  done: (socket: uWS.us_listen_socket | false) => void,
) => void;
