/** What lets clients in: the listening socket, alone on its address or sharing it, and the count of those who are inside. */
import uWS from '#uws';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { Log } from '../../../actors/ports/log.ts';
import { VelloError } from '../../../config/errors.ts';
import type { ListenAddress } from '../../../config/parse-setting.ts';

export interface Door {
  /** Starts listening and returns the port. @throws VelloError `PORT_IN_USE` */
  open(): Promise<number>;
  /** Nobody else comes in; whoever is inside stays. Takes a moment, and once is enough. */
  close(): Promise<void>;
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
  let closed: Promise<void> | undefined;
  let connections = 0;
  let onDeserted: (() => void) | undefined;

  const count = (change: number) => {
    connections += change;
    if (connections === 0) onDeserted?.();
  };
  /** Whoever was not let in yet is turned away with a reset: so a moment is chosen in which all have just been. */
  const close = async () => {
    for (let turn = 0; turn < MOST_TURNS && socket !== undefined; turn += 1) {
      const startedMs = clock.monotonicMs();
      await new Promise((resolve) => setImmediate(resolve));
      if (clock.monotonicMs() - startedMs < QUICK_TURN_MS) break;
    }
    if (socket !== undefined) uWS.us_listen_socket_close(socket);
    socket = undefined;
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
    close: () => (closed ??= close()),
    get isClosed() {
      return closed !== undefined;
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

/** A turn of the event loop lets everybody in that waits, and does other work before it ends: in one as short as this little of that. */
const QUICK_TURN_MS = 0.15;
/** A busy server may have none so short; some tens of milliseconds are spent on it. */
const MOST_TURNS = 200;

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
