/** The OpenAPI document holds together and says what the declarations say; the page shows it without fetching anything. */
import { Type } from '@sinclair/typebox';
import t from 'tap';
import { ERRORS } from '../../../../config/errors.ts';
import { apiRoute, registerRoutes, type ApiRoute } from '../../../../transports/http/api/api-route.ts';
import { docsPage } from '../../../../transports/http/openapi/docs-page.ts';
import { openApiDocument, type OpenApiDocument } from '../../../../transports/http/openapi/openapi-document.ts';
import { apiDocumentationRoutes } from '../../../../transports/http/routes/api-documentation.ts';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { problemsOfOpenApi } from '../../../fixtures/openapi-problems.ts';
import { headerGuards } from '../../../fixtures/reading-api.ts';

const closed = { additionalProperties: false };
const Thing = Type.Object(
  { id: Type.String({ format: 'uuid' }), kind: Type.Union([Type.Literal('a'), Type.Literal('b')]) },
  { ...closed, $id: 'Thing' },
);

const routes: readonly ApiRoute[] = [
  apiRoute({
    method: 'PUT',
    path: '/api/things/{id}',
    tag: 'Things',
    summary: 'Puts <b>a thing</b>.',
    auth: 'access',
    params: Type.Object({ id: Type.String({ format: 'uuid' }) }, closed),
    query: Type.Object({ limit: Type.Optional(Type.Integer({ maximum: 9 })) }, closed),
    body: Type.Object({ things: Type.Array(Thing), note: Type.Optional(Type.String({ maxLength: 5 })) }, closed),
    answers: { 201: { description: 'Put.', schema: Thing } },
    errors: ['DEVICE_NOT_FOUND', 'RATE_LIMITED'],
    handle: () => ({ status: 201 }),
  }),
  apiRoute({
    method: 'DELETE',
    path: '/api/things/{id}',
    tag: 'Things',
    summary: 'Deletes a thing.',
    auth: 'service',
    params: Type.Object({ id: Type.String() }, closed),
    answers: { 204: { description: 'Gone.' } },
    handle: () => ({ status: 204 }),
  }),
];

t.test('describes a route by its declaration and by what all routes of its kind have in common', async (t) => {
  const document = openApiDocument(routes, '1.2.3');
  t.same(problemsOfOpenApi(document), []);
  const put = document.paths['/api/things/{id}']?.['put'];
  t.match(put, {
    operationId: 'putApiThingsId',
    security: [{ access: [] }],
    parameters: [
      { name: 'id', in: 'path', required: true },
      { name: 'limit', in: 'query', required: false, schema: { maximum: 9 } },
    ],
    responses: { 201: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } } } },
  });
  t.match(document.components.schemas['Thing'], { properties: { kind: { type: 'string', enum: ['a', 'b'] } } });
  const codes = Object.values(put?.responses ?? {}).flatMap((response) => {
    const schema = response.content?.['application/problem+json']?.schema;
    return (schema?.['properties'] as { code: { enum: string[] } } | undefined)?.code.enum ?? [];
  });
  for (const code of [
    'DEVICE_NOT_FOUND',
    'RATE_LIMITED',
    'AUTH_TOKEN_EXPIRED',
    'UNSUPPORTED_MEDIA_TYPE',
    'INVALID_FIELDS',
  ]) {
    t.ok(codes.includes(code), code);
  }
  for (const code of codes) t.ok(code in ERRORS);
  t.same(document.paths['/api/things/{id}']?.['delete']?.security, [{ serviceSignature: [], serviceId: [] }]);
});

t.test('the structure check finds what is broken', async (t) => {
  const document = openApiDocument(routes, '1');
  const broken = (change: (copy: OpenApiDocument) => void) => {
    const copy = structuredClone(document);
    change(copy);
    return problemsOfOpenApi(copy).length;
  };
  const edit = (value: unknown) => value as Record<string, unknown>;
  t.ok(broken((copy) => delete edit(copy.components.schemas)['Thing']));
  t.ok(broken((copy) => delete edit(copy.components.securitySchemes)['access']));
  t.ok(broken((copy) => delete edit(copy.paths['/api/things/{id}']?.['put'])['parameters']));
  t.ok(broken((copy) => (edit(copy.paths['/api/things/{id}']?.['delete'])['operationId'] = 'putApiThingsId')));
  t.ok(broken((copy) => (edit(copy.paths['/api/things/{id}']?.['put'])['responses'] = {})));
  t.ok(broken((copy) => (edit(copy.components.schemas['Thing'])['type'] = 'thing')));
});

t.test('the page shows every route and error, escapes what it shows, and fetches nothing', async (t) => {
  const page = docsPage(openApiDocument(routes, '1.2.3'));
  t.match(page, /Puts &lt;b&gt;a thing&lt;\/b&gt;\./);
  t.match(page, /DEVICE_NOT_FOUND/);
  t.match(page, /at most 5 characters/);
  t.notMatch(page, /<script|<img|<link|<iframe|url\(|@import|https?:/i);
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
  t.equal(new Set(ids).size, ids.length, 'ids are unique');
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) t.ok(ids.includes(target), `#${target ?? ''} exists`);
  for (const [, link] of page.matchAll(/href="([^#"][^"]*)"/g)) t.equal(link, '/openapi.json');
});

t.test('a listener serves its description, which describes itself', async (t) => {
  const documentation = apiDocumentationRoutes(routes, '1.2.3');
  const { base } = await startTestListener(t, (server) =>
    registerRoutes(server, [...routes, ...documentation], headerGuards),
  );
  const response = await fetch(`${base}/openapi.json`);
  t.equal(response.headers.get('content-type'), 'application/json');
  const document = (await response.json()) as OpenApiDocument;
  t.same(Object.keys(document.paths), ['/api/things/{id}', '/openapi.json', '/docs']);
  const page = await fetch(`${base}/docs`);
  t.match(page.headers.get('content-type'), 'text/html');
  t.match(page.headers.get('content-security-policy'), "default-src 'none'");
  t.match(await page.text(), /<!doctype html>/);
});
