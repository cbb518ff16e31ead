/** Messages as frames, in the two encodings that a desktop may ask for. */
import { Packr } from 'msgpackr';
import type { ServerMessage, Subprotocol } from '../../actors/sessions/desktop-protocol.ts';

export interface FrameCodec {
  readonly isBinary: boolean;
  encode(message: ServerMessage): string | Buffer;
  /** Throws for a frame that is not of this encoding. */
  decode(frame: Buffer): unknown;
}

// Records would need state on both sides that a reconnect loses; maps as objects keep keys what JSON makes of them.
const packr = new Packr({ useRecords: false, mapsAsObjects: true });
const utf8 = new TextDecoder('utf-8', { fatal: true });

export const FRAME_CODECS: Readonly<Record<Subprotocol, FrameCodec>> = {
  'vello.v1.json': {
    isBinary: false,
    encode: (message) => JSON.stringify(message),
    decode: (frame): unknown => JSON.parse(utf8.decode(frame)),
  },
  'vello.v1.msgpack': {
    isBinary: true,
    encode: (message) => packr.pack(message),
    decode: (frame): unknown => packr.unpack(frame),
  },
};
