/** The api's own description: `/openapi.json` for programs, `/docs` for people. Both are written once, from the routes that are served. */
import { apiRoute, type ApiRoute, type RouteDescription } from '../api/api-route.ts';
import { docsPage, DOCS_PAGE_POLICY } from '../openapi/docs-page.ts';
import { openApiDocument } from '../openapi/openapi-document.ts';

/** `described` are all other routes of the listener, in the order in which a reader should meet them. */
export function apiDocumentationRoutes(described: readonly RouteDescription[], version: string): readonly ApiRoute[] {
  let documentText = '';
  let pageText = '';
  const own = [
    apiRoute({
      method: 'GET',
      path: '/openapi.json',
      tag: 'Documentation',
      summary: 'This api as an OpenAPI 3.1 document.',
      auth: 'none',
      answers: { 200: { description: 'The document.', contentType: 'application/json' } },
      handle: () => ({ status: 200, headers: { 'Content-Type': 'application/json' }, body: documentText }),
    }),
    apiRoute({
      method: 'GET',
      path: '/docs',
      tag: 'Documentation',
      summary: 'This api as a page to read.',
      auth: 'none',
      answers: { 200: { description: 'The page.', contentType: 'text/html; charset=utf-8' } },
      handle: () => ({ status: 200, headers: PAGE_HEADERS, body: pageText }),
    }),
  ];
  // They describe themselves too, so the texts come after the routes.
  const document = openApiDocument([...described, ...own], version);
  documentText = JSON.stringify(document);
  pageText = docsPage(document);
  return own;
}

const PAGE_HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': DOCS_PAGE_POLICY,
  'Referrer-Policy': 'no-referrer',
};
