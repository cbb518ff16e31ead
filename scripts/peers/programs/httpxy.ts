/** httpxy as its manual sets it up, with connections kept alive. */
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listenPort, loadFetched, upstreamUrl } from './proxy-arguments.ts';

interface Httpxy {
  web(request: IncomingMessage, response: ServerResponse): Promise<void>;
}
const { createProxyServer } = (await loadFetched('httpxy')) as {
  createProxyServer: (options: object) => Httpxy;
};

const proxy = createProxyServer({ target: upstreamUrl, agent: new Agent({ keepAlive: true }) });
createServer((request, response) => {
  proxy.web(request, response).catch(() => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
}).listen(listenPort, '127.0.0.1');
