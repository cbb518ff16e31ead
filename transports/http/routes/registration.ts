/** Routes that a bootstrap token opens: what a machine amounts to, and its registration (contract §3.3, §3.4). */
import { Type } from '@sinclair/typebox';
import { COMPONENT_NAMES } from '../../../actors/devices/fingerprints.ts';
import { registerDevice, validateDevice, type RegistrationDependencies } from '../../../actors/devices/registration.ts';
import { apiRoute, type ApiRoute } from '../api/api-route.ts';
import { closed, TOKEN_PAIR, UUID } from '../api/schemas.ts';

export function registrationRoutes(deps: RegistrationDependencies): readonly ApiRoute[] {
  return [
    apiRoute({
      method: 'POST',
      path: '/api/devices/validate',
      tag: 'Devices',
      summary: 'Ask what this machine amounts to',
      description: 'Changes nothing. Values are hashed on arrival and never stored.',
      auth: 'bootstrap',
      body: closed({ fingerprints: FINGERPRINTS }),
      answers: { 200: { description: 'The verdict, and the credits that registering would give.', schema: VERDICT } },
      errors: ['RATE_LIMITED'],
      handle: async ({ caller, body }) => ({
        status: 200,
        body: await validateDevice({ publicKey: caller.publicKey, fingerprints: body.fingerprints }, deps),
      }),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/devices/register',
      tag: 'Devices',
      summary: 'Register this machine',
      description: 'The same key again gets fresh tokens and no new credits.',
      auth: 'bootstrap',
      body: closed({
        fingerprints: FINGERPRINTS,
        device: closed({
          name: shortText(120, 'Shown to the owner.'),
          os: shortText(120, 'Operating system and version.'),
          app_version: shortText(60, 'Of the desktop application.'),
        }),
      }),
      answers: {
        201: { description: 'A new account.', schema: REGISTERED },
        200: { description: 'The account of this key.', schema: REGISTERED },
      },
      errors: ['AUTH_KEY_INVALID', 'DEVICE_BLOCKED', 'AUTH_DEVICE_REVOKED', 'RATE_LIMITED'],
      handle: async ({ caller, body, request }) => {
        const { created, answer } = await registerDevice(
          {
            publicKey: caller.publicKey,
            fingerprints: body.fingerprints,
            device: { name: body.device.name, os: body.device.os, appVersion: body.device.app_version },
            address: request.remoteAddress,
          },
          deps,
        );
        return { status: created ? 201 : 200, body: answer };
      },
    }),
  ];
}

const shortText = (maxLength: number, description: string) => Type.String({ minLength: 1, maxLength, description });

const VALUE = Type.String({ minLength: 1, maxLength: 512 });
const FINGERPRINTS = Type.Partial(
  closed({
    machine_id: VALUE,
    bios_uuid: VALUE,
    baseboard_serial: VALUE,
    disk_serial: VALUE,
    mac_addresses: Type.Union([VALUE, Type.Array(VALUE, { minItems: 1, maxItems: 32 })]),
    cpu_id: VALUE,
    os_install_id: VALUE,
  }),
  { minProperties: 3, additionalProperties: false, description: 'At least three components.' },
);

const VERDICT = closed({
  verdict: Type.Union([Type.Literal('new'), Type.Literal('known'), Type.Literal('collision'), Type.Literal('blocked')]),
  matches: Type.Array(
    closed({
      component: Type.Union(COMPONENT_NAMES.map((name) => Type.Literal(name))),
      strength: Type.Union([Type.Literal('strong'), Type.Literal('weak')]),
    }),
  ),
  credits_offer: Type.Integer(),
});

const REGISTERED = closed({
  user_id: UUID,
  device_id: UUID,
  ...TOKEN_PAIR,
  credits: closed({ granted: Type.Integer(), balance: Type.Integer() }),
});
