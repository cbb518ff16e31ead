/** The OpenAPI document as a page to read: whole in itself, no script, nothing fetched from anywhere. The look is in `docs-page.css`. */
import { readFileSync } from 'node:fs';
import type { OpenApiDocument, Operation, Parameter, Response } from './openapi-document.ts';
import { exampleOf } from './schema-example.ts';
import type { JsonSchema } from './openapi-schema.ts';

const STYLE = readFileSync(new URL('./docs-page.css', import.meta.url), 'utf8');

/** Allows the page its own style and nothing else. */
export const DOCS_PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

export function docsPage(document: OpenApiDocument): string {
  const { info, tags, paths, components } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Listed => ({ method: method.toUpperCase(), path, operation })),
  );
  const groups = tags.map(({ name }) => ({
    name,
    listed: operations.filter((each) => each.operation.tags[0] === name),
  }));
  const schemas = Object.entries(components.schemas);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(info.title)} API</title>
<style>${STYLE}</style>
</head>
<body>
<nav aria-label="Contents">
<p class="name">${escape(info.title)} <small>${escape(info.version)}</small></p>
${groups.map(({ name, listed }) => `<h2>${escape(name)}</h2><ul>${listed.map(contentsLine).join('')}</ul>`).join('\n')}
<h2>Reference</h2><ul><li><a href="#authentication">Authentication</a></li>${schemas
    .map(([name]) => `<li><a href="#schema-${escape(name)}">${escape(name)}</a></li>`)
    .join('')}</ul>
</nav>
<main>
<h1>${escape(info.title)} API</h1>
<p>${prose(info.description)}</p>
<p>The same as <a href="/openapi.json">OpenAPI 3.1</a>.</p>
${groups.map(({ name, listed }) => `<h2>${escape(name)}</h2>\n${listed.map((each) => section(each, components.schemas)).join('\n')}`).join('\n')}
<h2 id="authentication">Authentication</h2>
<dl>${Object.entries(components.securitySchemes)
    .map(([name, scheme]) => `<dt><code>${escape(name)}</code></dt><dd>${prose(scheme['description'] ?? '')}</dd>`)
    .join('')}</dl>
<h2>Schemas</h2>
${schemas.map(([name, schema]) => `<section id="schema-${escape(name)}"><h3>${escape(name)}</h3>${fields(schema)}</section>`).join('\n')}
</main>
</body>
</html>
`;
}

interface Listed {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const contentsLine = ({ method, path, operation }: Listed): string =>
  `<li><a href="#${escape(operation.operationId)}"><span class="method ${method.toLowerCase()}">${method}</span> ${breakable(path)}</a></li>`;

function section({ method, path, operation }: Listed, schemas: Readonly<Record<string, JsonSchema>>): string {
  const [[bodyType, media] = ['', undefined]] = Object.entries(operation.requestBody?.content ?? {});
  const body = media?.schema;
  const keys = operation.security.flatMap((scheme) => Object.keys(scheme));
  const caller =
    keys.length === 0
      ? 'Open to everybody.'
      : `Asks for <a href="#authentication">${keys.map((key) => `<code>${escape(key)}</code>`).join(operation.security.length > 1 ? ' or ' : ' and ')}</a>.`;
  return `<section id="${escape(operation.operationId)}">
<h3><span class="method ${method.toLowerCase()}">${method}</span> <code>${breakable(path)}</code></h3>
<p class="summary">${prose(operation.summary)}</p>
${operation.description === undefined ? '' : `<p>${prose(operation.description)}</p>`}
<p class="caller">${caller}${(operation.servers ?? []).map(servedAt).join('')}</p>
${operation.parameters === undefined ? '' : parameterTable(operation.parameters)}
${body === undefined ? '' : `<h4>Body</h4>${bodyType === 'application/json' ? '' : `<p><code>${escape(bodyType)}</code></p>`}${fields(body)}${bodyType === 'application/json' ? example(body, schemas) : ''}`}
<h4>Answers</h4>
<dl>${Object.entries(operation.responses).map(answer).join('')}</dl>
</section>`;
}

const example = (body: JsonSchema, schemas: Readonly<Record<string, JsonSchema>>): string =>
  `<pre>${escape(JSON.stringify(exampleOf(body, schemas), null, 2))}</pre>`;

/** Without the scheme: nothing on this page leads elsewhere. */
const servedAt = ({ url, description }: { readonly url: string; readonly description: string }): string =>
  `<br>At <code>${escape(url.replace(/^http:\/\//, ''))}</code>: ${prose(description)}`;

function parameterTable(parameters: readonly Parameter[]): string {
  const rows = parameters.map(
    ({
      name,
      in: place,
      required,
      schema,
    }) => `<tr><td><code>${escape(name)}</code>${required ? '' : ' <i>optional</i>'}</td>
<td>${place}</td><td>${typeOf(schema)}</td><td>${remarks(schema)}</td></tr>`,
  );
  return `<h4>Parameters</h4><table>${rows.join('')}</table>`;
}

function answer([status, { description, content }]: readonly [string, Response]): string {
  const [[kind, media] = ['', undefined]] = Object.entries(content ?? {});
  const shape =
    media === undefined || kind === 'application/problem+json' || !status.startsWith('2') ? '' : fields(media.schema);
  return `<dt class="status s${status.charAt(0)}">${escape(status)}</dt><dd>${prose(description)}${shape}</dd>`;
}

/** The members of an object, nested ones in place; for anything else, its type. */
function fields(schema: JsonSchema): string {
  const properties = schema['properties'] as Readonly<Record<string, JsonSchema>> | undefined;
  const about = typeof schema['description'] === 'string' ? `<p>${prose(schema['description'])}</p>` : '';
  if (properties === undefined || '$ref' in schema) return `<p>${typeOf(schema)}</p>${about}`;
  const required = (schema['required'] as readonly string[] | undefined) ?? [];
  const rows = Object.entries(properties).map(([name, property]) => {
    const inner = innerObject(property);
    return `<tr><td><code>${escape(name)}</code>${required.includes(name) ? '' : ' <i>optional</i>'}</td>
<td>${typeOf(property)}</td><td>${inner === undefined ? remarks(property) : fields(inner)}</td></tr>`;
  });
  return `${about}<table>${rows.join('')}</table>`;
}

/** The unnamed object inside a field: itself, the items of its list, or what it is when it is not null. */
function innerObject(schema: JsonSchema): JsonSchema | undefined {
  if ('properties' in schema) return schema;
  if (schema['items'] !== undefined) return innerObject(schema['items'] as JsonSchema);
  const options = (schema['anyOf'] as readonly JsonSchema[] | undefined) ?? [];
  return options.map(innerObject).find((option) => option !== undefined);
}

function typeOf(schema: JsonSchema): string {
  const reference = schema['$ref'];
  if (typeof reference === 'string') {
    const name = reference.split('/').at(-1) ?? '';
    return `<a href="#schema-${escape(name)}">${escape(name)}</a>`;
  }
  if (Array.isArray(schema['anyOf'])) return (schema['anyOf'] as JsonSchema[]).map(typeOf).join(' or ');
  if (Array.isArray(schema['enum'])) {
    return (schema['enum'] as string[]).map((each) => `<code>${escape(each)}</code>`).join(' or ');
  }
  if (schema['items'] !== undefined) return `list of ${typeOf(schema['items'] as JsonSchema)}`;
  const format = schema['format'];
  return escape(typeof format === 'string' ? format : typeof schema['type'] === 'string' ? schema['type'] : 'anything');
}

const BOUNDS = {
  minLength: 'at least % characters',
  maxLength: 'at most % characters',
  minimum: 'at least %',
  maximum: 'at most %',
  minItems: 'at least % items',
  maxItems: 'at most % items',
  pattern: 'matching %',
  default: '% unless given',
};

function remarks(schema: JsonSchema): string {
  const bounds = Object.entries(BOUNDS).flatMap(([keyword, text]) => {
    const bound = schema[keyword];
    return typeof bound === 'string' || typeof bound === 'number' ? [escape(text.replace('%', String(bound)))] : [];
  });
  const about = typeof schema['description'] === 'string' ? prose(schema['description']) : '';
  return [about, bounds.join(', ')].filter((part) => part !== '').join(' ');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

/** Text with `code` in backquotes. */
const prose = (text: string): string => escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');

/** A path that may break before each slash, so that it fits a narrow column. */
const breakable = (path: string): string => escape(path).replaceAll('/', '<wbr>/');
