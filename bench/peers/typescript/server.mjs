// Serves the tools of the comparison with the TypeScript SDK: sessions of earlier revisions, and
// 2026-07-28 on the same URL, according to the SDK's guides "Sessions, state, and scaling" and "Support
// legacy clients".
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import { localhostHostValidation, localhostOriginValidation, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import { createMcpHandler, isLegacyRequest } from '@modelcontextprotocol/server';

import { readBody } from './body.mjs';
import { Sessions } from './sessions.mjs';
import { Tools } from './tools.mjs';

// Like the other peers, it accepts -listen as well as --listen.
const { values } = parseArgs({
    args: process.argv.slice(2).map(arg => arg.replace(/^-(?=\w\w)/, '--')),
    options: {
        listen: { type: 'string', default: '127.0.0.1:8080' },
        'shutdown-timeout': { type: 'string', default: '10s' }, // in seconds
        'max-subscriptions': { type: 'string' }, // the SDK's default is 1024
        json: { type: 'boolean', default: false } // sessions answer with application/json; the SDK's default is a stream
    }
});
const [host, port] = values.listen.split(':');

const tools = new Tools();
const modern = createMcpHandler(() => tools.newServer(), {
    legacy: 'reject',
    ...(values['max-subscriptions'] && { maxSubscriptions: Number(values['max-subscriptions']) })
});
const sessions = new Sessions(tools, values.json);
tools.onToggle = () => {
    modern.notify.toolsChanged();
    sessions.toggle();
};

const modernNode = toNodeHandler(modern);
const validHost = localhostHostValidation();
const validOrigin = localhostOriginValidation();

async function serve(req, res) {
    if (req.url === '/healthz') {
        res.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok\n');
        return;
    }
    if (!validHost(req, res) || !validOrigin(req, res)) return;
    if (req.url !== '/mcp') {
        res.writeHead(404).end();
        return;
    }
    if (req.method !== 'POST') {
        await sessions.serve(req, res);
        return;
    }
    const body = await readBody(req, res);
    if (body === undefined) return;
    if (await isLegacyRequest(await toWebRequest(req, body))) {
        await sessions.serve(req, res, body);
    } else {
        await modernNode(req, res, body);
    }
}

const server = createServer((req, res) => {
    serve(req, res).catch(error => {
        console.error(error);
        if (res.headersSent) res.destroy();
        else res.writeHead(500).end();
    });
});

// The HTTP server accepts no more connections, the SDK ends streams and sessions, and calls in flight
// may complete.
async function shutdown() {
    const cut = setTimeout(() => {
        console.error('connections were still open after the timeout and have been cut');
        process.exit(0);
    }, Number.parseFloat(values['shutdown-timeout']) * 1000);
    cut.unref();
    const closed = new Promise(resolve => server.close(resolve));
    await Promise.all([modern.close(), sessions.close()]);
    server.closeIdleConnections();
    await closed;
    process.exit(0);
}
process.once('SIGTERM', shutdown);
process.once('SIGINT', shutdown);

server.on('error', error => {
    console.error(error.message);
    process.exit(1);
});
server.listen(Number(port), host, () => {
    const at = server.address();
    console.log(`listening on http://${at.address}:${at.port}/mcp pid ${process.pid}`);
});
