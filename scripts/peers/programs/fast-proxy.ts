/** fast-proxy as its manual sets it up, on Node.js' own client. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listenPort, loadFetched, upstreamUrl } from './proxy-arguments.ts';

type FastProxy = (request: IncomingMessage, response: ServerResponse, url: string, options: object) => void;
const { default: library } = (await loadFetched('fast-proxy')) as {
  default: (options: object) => { readonly proxy: FastProxy };
};

const { proxy } = library({ base: upstreamUrl, undici: false });
createServer((request, response) => proxy(request, response, request.url ?? '/', {})).listen(listenPort, '127.0.0.1');
