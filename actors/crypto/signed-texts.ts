/** Every text that a key of this system signs, in one place: desktops, services and the server build them here (contract §3, §7). Pure. */

/** What a desktop signs to prove that it holds its key. `nonce` and `publicKey` in base64url, as they travel. */
export function deviceAuthText(challenge: { challengeId: string; nonce: string; publicKey: string }): Buffer {
  return labelled(LABELS.deviceAuth, [challenge.challengeId, challenge.nonce, challenge.publicKey]);
}

/** What a desktop signs to open its WebSocket. */
export function webSocketText(handshake: {
  deviceId: string;
  /** Unix seconds by the device's corrected clock. */
  timestamp: number;
  sequence: number;
  /** SHA-256 of the access token, lower-case hex. */
  tokenSha256: string;
}): Buffer {
  const { deviceId, timestamp, sequence, tokenSha256 } = handshake;
  return labelled(LABELS.webSocket, [deviceId, timestamp, sequence, tokenSha256]);
}

/** What a service signs on every request to the api. */
export function serviceRequestText(request: {
  serviceId: string;
  /** Unix seconds. */
  timestamp: number;
  /** Upper case. */
  method: string;
  /** As in the request line, query included. */
  path: string;
  /** SHA-256 of the body, lower-case hex; of the empty string where there is none. */
  bodySha256: string;
}): Buffer {
  const { serviceId, timestamp, method, path, bodySha256 } = request;
  return labelled(LABELS.service, [serviceId, timestamp, method.toUpperCase(), path, bodySha256]);
}

/** A signature over one purpose must never be valid for another: each text starts with a label of its own. */
const LABELS = {
  deviceAuth: 'vello-device-auth:v1',
  webSocket: 'vello-ws:v1',
  service: 'vello-service:v1',
} as const;

/** A line break inside a field could move the border between two fields; none of the fields may hold one. */
function labelled(label: string, fields: readonly (string | number)[]): Buffer {
  for (const field of fields) {
    if (typeof field === 'number' ? !Number.isSafeInteger(field) : field === '' || /[\r\n]/.test(field)) {
      throw new TypeError(`a field of ${label} is empty, fractional or holds a line break`);
    }
  }
  return Buffer.from([label, ...fields].join('\n'), 'utf8');
}
