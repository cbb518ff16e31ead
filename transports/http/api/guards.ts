/** The three proofs that routes ask for, read from request headers and judged by the identity part. */
import type { Authenticator } from '../../../actors/identity/authenticator.ts';
import { acceptServiceRequest, type ServiceRequestDependencies } from '../../../actors/identity/service-requests.ts';
import { VelloError } from '../../../config/errors.ts';
import type { Guards } from './api-route.ts';
import type { HttpRequest } from '../server/server.ts';

export function createGuards(deps: {
  readonly authenticator: Authenticator;
  readonly services: ServiceRequestDependencies;
}): Guards {
  return {
    bootstrap: async (request) => ({
      publicKey: await deps.authenticator.authenticateBootstrap(bearerToken(request), request.remoteAddress),
    }),
    access: (request) => deps.authenticator.authenticate(bearerToken(request), request.remoteAddress),
    service: (request) =>
      acceptServiceRequest(
        {
          serviceId: request.header('x-vello-service'),
          authorization: request.header('authorization'),
          method: request.method,
          path: request.target,
        },
        deps.services,
      ),
  };
}

/** @throws VelloError `AUTH_TOKEN_MISSING` */
function bearerToken(request: HttpRequest): string {
  const [, token] = /^bearer +(\S{1,4096})$/i.exec(request.header('authorization')) ?? [];
  if (token === undefined) throw new VelloError('AUTH_TOKEN_MISSING');
  return token;
}
