/** Derives every secret of the identity part from the one key of the installation, so that processes which share it agree. Pure. */
import { hkdfSync } from 'node:crypto';

/** The database roles that log in, and a password for each. */
export type RolePasswords = Readonly<Record<'vello_api' | 'vello_service' | 'vello_operator', string>>;

export interface IdentitySecrets {
  /** Makes the successor of a refresh token (32 bytes). */
  readonly refreshKey: Buffer;
  /** Seals private signing keys at rest (32 bytes, AES-256-GCM). */
  readonly sealingKey: Buffer;
  /** First pepper of fingerprint hashes (32 bytes); a rotation adds others by setting. */
  readonly fingerprintPepper: Buffer;
  readonly rolePasswords: RolePasswords;
}

/** `masterKey` is VELLO_SECRET_KEY or its generated stand-in (HKDF-SHA256, RFC 5869). */
export function deriveIdentitySecrets(masterKey: string): IdentitySecrets {
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', Buffer.from(masterKey, 'utf8'), 'vello', `vello ${purpose} v1`, 32));
  const password = (role: string) => derive(`database role ${role}`).toString('base64url');
  return {
    refreshKey: derive('refresh tokens'),
    sealingKey: derive('signing key sealing'),
    fingerprintPepper: derive('fingerprint pepper'),
    rolePasswords: {
      vello_api: password('vello_api'),
      vello_service: password('vello_service'),
      vello_operator: password('vello_operator'),
    },
  };
}
