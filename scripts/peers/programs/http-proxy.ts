/** http-proxy as its manual sets it up, with connections kept alive. */
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { listenPort, loadFetched, upstreamUrl } from './proxy-arguments.ts';

interface HttpProxy {
  web(request: IncomingMessage, response: ServerResponse): void;
  on(event: 'error', listener: (error: Error, request: IncomingMessage, to: ServerResponse | Socket) => void): void;
}
const { default: library } = (await loadFetched('http-proxy')) as {
  default: { createProxyServer(options: object): HttpProxy };
};

const proxy = library.createProxyServer({ target: upstreamUrl, agent: new Agent({ keepAlive: true }) });
proxy.on('error', (_error, _request, to) => {
  if (!('writeHead' in to) || to.headersSent) to.destroy();
  else to.writeHead(502).end();
});
createServer((request, response) => proxy.web(request, response)).listen(listenPort, '127.0.0.1');
