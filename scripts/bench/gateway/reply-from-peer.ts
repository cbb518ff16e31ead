/** @fastify/reply-from before the same provider, where somebody has installed it. A process of its own; sends its port, or 0 when it is not there. */

interface Fastify {
  register(plugin: unknown, options: object): Promise<void>;
  addContentTypeParser(type: string, parser: (request: unknown, payload: unknown, done: Done) => void): void;
  removeAllContentTypeParsers(): void;
  all(path: string, handler: (request: { url: string }, reply: { from(url: string): unknown }) => unknown): void;
  listen(options: object): Promise<string>;
}
type Done = (error: null, body: unknown) => void;

const load = async (name: string): Promise<unknown> => {
  try {
    return ((await import(name)) as { default: unknown }).default;
  } catch {
    return undefined;
  }
};

const fastify = (await load('fastify')) as (() => Fastify) | undefined;
const replyFrom = await load('@fastify/reply-from');
if (fastify === undefined || replyFrom === undefined) process.send?.(0);
else {
  const app = fastify();
  await app.register(replyFrom, { base: process.argv[2] });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.all('/*', (request, reply) => reply.from(request.url));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  process.send?.(Number(new URL(url).port));
}
process.on('disconnect', () => process.exit(0));
