/** @fastify/reply-from as its manual sets it up, with bodies passed on as they come. */
import { listenPort, loadFetched, upstreamUrl } from './proxy-arguments.ts';

interface Fastify {
  register(plugin: unknown, options: object): Promise<void>;
  addContentTypeParser(type: string, parser: (request: unknown, payload: unknown, done: Done) => void): void;
  removeAllContentTypeParsers(): void;
  all(path: string, handler: (request: { url: string }, reply: { from(url: string): unknown }) => unknown): void;
  listen(options: object): Promise<string>;
}
type Done = (error: null, body: unknown) => void;

const { default: fastify } = (await loadFetched('fastify')) as { default: () => Fastify };
const { default: replyFrom } = await loadFetched('@fastify/reply-from');

const app = fastify();
await app.register(replyFrom, { base: upstreamUrl });
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
app.all('/*', (request, reply) => reply.from(request.url));
await app.listen({ host: '127.0.0.1', port: listenPort });
