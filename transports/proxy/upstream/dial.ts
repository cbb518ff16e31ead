/** Opens connections to one provider: TCP, and TLS over it where its address says https. */
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls';
import type { Clock } from '../../../actors/ports/clock.ts';
import { LIMITS } from '../../../config/limits.ts';

export interface DialOptions {
  readonly clock: Clock;
  /** Finds the address, anew for each connection; the system's where absent. */
  readonly lookup?: LookupFunction;
  /** Certificates that are trusted in place of those of Node.js and `NODE_EXTRA_CA_CERTS`. */
  readonly ca?: string;
}

export interface DialListener {
  /** Bytes that arrived. The memory is taken back when this returns. */
  onRead(bytes: Buffer): void;
  /** The connection may be written to. */
  onOpen(): void;
}

/** Failures are the socket's own: it is destroyed with the error. */
export type Dial = (listener: DialListener) => Socket;

const READ_BYTES = 64 * 1024;

/**
 * All connections read into it: what arrived is read out before the next read begins, which libuv does one after the other on Linux and macOS.
 * Of its own, each would have these bytes as long as it is open.
 */
const arrived = Buffer.allocUnsafeSlow(READ_BYTES);

/** After this long without a byte, a connection is asked whether it is still there: a router in between may have forgotten it. */
const PROBE_MS = 60_000;

export function createDial(origin: URL, { clock, lookup, ca }: DialOptions): Dial {
  const isTls = origin.protocol === 'https:';
  const host = origin.hostname.replace(/^\[(.*)\]$/, '$1');
  const { connectMs, tlsMs } = LIMITS.upstream;
  // Made once: it holds every certificate that is trusted.
  const secureContext = isTls ? createSecureContext(ca === undefined ? {} : { ca }) : undefined;
  /** The newest that the provider gave; a connection that brings it saves both sides most of the handshake. */
  let session: Buffer | undefined;

  const open = (onread: { buffer: Buffer; callback: (bytes: number) => boolean }): Socket => {
    const target = {
      host,
      port: Number(origin.port || (isTls ? 443 : 80)),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_MS,
      onread,
      ...(lookup === undefined ? {} : { lookup }),
    };
    if (secureContext === undefined) return connectTcp(target);
    return connectTls({
      ...target,
      secureContext,
      // Said aloud, so that no variable of the environment can turn it off.
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
      // The name that is asked for must not be an address (RFC 6066 §3).
      servername: isIP(host) === 0 ? host : '',
      ...(session === undefined ? {} : { session }),
    }).on('session', (newest: Buffer) => (session = newest));
  };

  return (listener) => {
    const callback = (bytes: number): boolean => {
      listener.onRead(arrived.subarray(0, bytes));
      return true;
    };
    const socket: Socket | TLSSocket = open({ buffer: arrived, callback });
    const endAfter = (ms: number, what: string) =>
      clock.setTimer(ms, () => void socket.destroy(new Error(`No ${what} within ${ms} ms.`)));
    let timer = endAfter(connectMs, 'connection');
    socket.once('connect', () => {
      timer.cancel();
      if (isTls) timer = endAfter(tlsMs, 'TLS handshake');
      else listener.onOpen();
    });
    socket.once('secureConnect', () => {
      timer.cancel();
      listener.onOpen();
    });
    socket.once('close', (hadError: boolean) => {
      timer.cancel();
      // It may be what the provider does not like.
      if (hadError) session = undefined;
    });
    return socket;
  };
}
